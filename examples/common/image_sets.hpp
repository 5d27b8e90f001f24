#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include <softscore/data/labeled_images.hpp>

namespace common {

/// The first `count` images.
softscore::image_batch first_images(const softscore::image_batch& images, std::size_t count);

/// Copies image `from` of one batch to image `to` of another.
void copy_image(const softscore::image_batch& source, std::size_t from, softscore::image_batch& target, std::size_t to);

/// A text that changes with any pixel, so that a run is continued on the same images.
std::string fingerprint(const softscore::data_set& data);

/// Throws `error` unless the data have the fingerprint that a checkpoint expects.
void require_trained_on(const softscore::data_set& data, const std::string& expected,
                        const std::filesystem::path& checkpoint);

}  // namespace common
