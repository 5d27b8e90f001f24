#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/png.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Reads every *.png file of a folder (not of folders inside it), in the order of their names, as images in [0, 1].
/// Throws `error` naming the folder when it has none or cannot be read, and naming the file when its size or number of
/// channels is not that of the first one.
template <class = when_called>
image_batch read_image_folder(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code failed;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry{folder, failed}, end; !failed && entry != end; entry.increment(failed)) {
    std::string ending = entry->path().extension().string();
    for (char& c : ending) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    if (ending == ".png") files.push_back(entry->path());
  }
  if (failed) detail::file_failure(folder.string(), "be read", failed.value());
  if (files.empty()) throw error(detail::printable(folder.string()) + " must have PNG files, but has none");
  std::sort(files.begin(), files.end());

  // The images are collected first: the first one's size says nothing about the others.
  std::vector<float> pixels;
  shape first;
  for (const auto& file : files) {
    const auto image = read_png(file);
    if (file == files.front()) first = extent_of(image);
    detail::require_file(extent_of(image) == first, file.string(), "the shape", extent_of(image),
                         "that of " + detail::printable(files.front().filename().string()) + ", " +
                             std::to_string(first.channels) + " x " + std::to_string(first.height) + " x " +
                             std::to_string(first.width));
    pixels.resize(pixels.size() + image.size());
    std::copy_n(image.data(), image.size(), pixels.data() + pixels.size() - image.size());
  }
  auto images = make_tensor(first.with_images(files.size()));
  std::copy_n(pixels.data(), pixels.size(), images.data());
  return images;
}

}  // namespace softscore::inline SOFTSCORE_ABI
