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

/// What `find_images` finds in a folder.
struct image_folder {
  std::filesystem::path path;
  std::vector<std::filesystem::path> files;  ///< in the order of their names
  std::size_t skipped{};                     ///< entries named *.png that are hidden or folders
};

/// Finds the *.png files of a folder, in upper or lower case, but not those of its sub-folders. Hidden files are
/// skipped, such as "._a.png", in which macOS keeps attributes of a.png. Throws `error` naming the folder if it cannot
/// be read.
template <class = when_called>
image_folder find_images(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code failed;
  image_folder found{folder, {}, 0};
  for (fs::directory_iterator entry{folder, failed}, end; !failed && entry != end; entry.increment(failed)) {
    std::string ending = entry->path().extension().string();
    for (char& c : ending) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    if (ending != ".png") continue;
    std::error_code ignored;  // what is neither a folder nor a file is refused by whoever reads it
    if (entry->path().filename().string().starts_with('.') || entry->is_directory(ignored))
      ++found.skipped;
    else
      found.files.push_back(entry->path());
  }
  if (failed) detail::file_failure(folder.string(), "be read", failed.value());
  std::sort(found.files.begin(), found.files.end());
  return found;
}

/// Reads the files that `find_images` found, in their order, as images in [0, 1]. Throws `error` naming the folder if
/// there is none, and naming the file if its size or number of channels differs from the first one's.
template <class = when_called>
image_batch read_image_folder(const image_folder& folder) {
  const auto& files = folder.files;
  if (files.empty()) {
    throw error(detail::printable(folder.path.string()) + " must have PNG files, but has none" +
                (folder.skipped > 0 ? " (" + std::to_string(folder.skipped) + " hidden or a folder)" : ""));
  }
  // The images are collected first, because the first one's size says nothing about the others.
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
/// Reads every *.png file of a folder: `read_image_folder(find_images(folder))`.
template <class = when_called>
image_batch read_image_folder(const std::filesystem::path& folder) {
  return read_image_folder(find_images(folder));
}

}  // namespace softscore::inline SOFTSCORE_ABI
