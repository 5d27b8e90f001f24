#pragma once

#include <softscore/data/labeled_images.hpp>

#include "common/image_sets.hpp"
#include "settings.hpp"

namespace digits {

/// How many stroke digits are drawn by default.
inline constexpr std::size_t usual_stroke_digits = 10000;

/// The shape of the built-in stroke digits that the settings request. Throws `error` for more than 4 GiB of them.
softscore::shape stroke_digits_asked(const run_settings& settings);

/// Returns the images of a run: MNIST's from a folder, or built-in stroke digits, with a tenth as many test images. A
/// limit on MNIST's training images also limits its test images, to a tenth of that.
softscore::data_set load_data(const run_settings& settings);

}  // namespace digits
