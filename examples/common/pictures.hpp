#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <softscore/core/pixel_scale.hpp>
#include <softscore/core/xtensor.hpp>

#include "watching.hpp"

namespace common {

/// Images in a grid, at their original size.
struct picture {
  std::string name;                  ///< name of the file, without .png
  softscore::image_batch grid{};     ///< one image
  std::vector<std::string> under{};  ///< a label below each column, if any
  std::size_t columns{};
};

/// A grid of images, `columns` in a row.
picture grid_of(std::string name, const softscore::image_batch& images, std::size_t columns);

/// A grid in which each column has a label below it.
picture labeled_grid(std::string name, const softscore::image_batch& images, std::vector<std::string> under);

/// A time for people.
std::string time_label(double time);

/// The first images, and below each one the training image nearest to it.
picture nearest_picture(const softscore::image_batch& drawn, const softscore::image_batch& training);

/// Writes a picture as a PNG, enlarged so that its pixels are visible.
void write_picture(const std::filesystem::path& folder, const picture& p);

/// Collects x_t and h of the first images while they are drawn.
class trajectory {
 public:
  /// `pixels` is the scale from [0, 1] to the range of the model.
  trajectory(softscore::pixel_scale pixels, std::size_t steps, std::size_t images);

  /// Must be called at every step of a run.
  void look(const sampling_view& v);
  /// One image in two rows: x_t, and below it the estimate h. The last column is the drawn image.
  picture result(const softscore::image_batch& drawn) const;

 private:
  struct moment {
    double time{};
    softscore::image_batch x, h;
  };
  softscore::pixel_scale pixels_;
  std::size_t steps_, images_;
  std::vector<moment> moments_;
  bool over_{};
};

}  // namespace common
