#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <softscore/data/labeled_images.hpp>

namespace images {

/// Images with the names of their classes; without labels there are no names.
struct loaded_images {
  softscore::data_set set;
  std::vector<std::string> classes{};
};

/// Reads the images of a folder: its PNG files; those of its sub-folders, whose names are the classes; CIFAR-10's
/// binary batches; or MNIST's four IDX files. `images` of them, evenly spread, are kept for training (0: all), and at
/// most `test_images` for the test loss, from the folder's own test set or, without one, from its images. Throws
/// `error` naming the folder or file if it cannot be read or has none of these, and for images of different sizes.
loaded_images load_images(const std::string& folder, std::size_t images, std::size_t test_images);

}  // namespace images
