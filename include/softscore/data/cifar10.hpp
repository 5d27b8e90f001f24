#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/data/labeled_images.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/gzip.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Reads a CIFAR-10 binary file (plain or gzip), whose records are a label byte and 3 x 32 x 32 pixel bytes, as RGB
/// images in [0, 1]. Throws `error` naming the file if its length is not a whole number of records, if it is empty, or
/// if a label is above 9.
template <class = when_called>
labeled_images read_cifar10(const std::filesystem::path& path) {
  constexpr std::size_t pixels = 3 * 32 * 32, record = 1 + pixels;
  const auto bytes = read_plain_or_gzip(path);
  const std::string name = path.string();
  detail::require_file(!bytes.empty() && bytes.size() % record == 0, name, "the length", bytes.size(),
                       "a positive multiple of " + std::to_string(record) + " bytes");
  labeled_images result{make_tensor({bytes.size() / record, 3, 32, 32}), {}};
  result.labels.reserve(bytes.size() / record);
  for (std::size_t at = 0; at < bytes.size(); at += record) {
    detail::require_file(bytes[at] < 10, name, "a label", unsigned{bytes[at]}, "below 10");
    detail::bytes_to_unit(bytes.data() + at + 1, pixels, result.pixels.data() + result.labels.size() * pixels);
    result.labels.push_back(class_label{bytes[at]});
  }
  return result;
}

}  // namespace softscore::inline SOFTSCORE_ABI
