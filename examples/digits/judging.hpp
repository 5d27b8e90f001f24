#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <softscore/core/xtensor.hpp>
#include <softscore/data/labeled_images.hpp>

namespace digits {

/// One row of a judge's scores: a set of images compared with the test images.
struct judged_set {
  std::string name;
  double frechet{};                      ///< squared Frechet distance in the judge's features
  std::optional<double> extrapolated{};  ///< to infinitely many images, if there are enough
  double kernel{}, kernel_deviation{};   ///< kernel distance, and its deviation over subsets
  double precision{}, recall{};
  double inception{}, inception_deviation{};  ///< inception score, and its deviation over runs of images
  std::optional<double> accuracy{};           ///< share of images whose most probable class is the requested one
};

/// Scores images in [0, 1], and three controls, by a classifier or pytorch-fid's Inception. The controls are the test
/// images themselves; training images chosen at random, which a classifier has seen; and uniform noise. `asked` are the
/// labels of the images, or empty. Throws `error` for a file that is neither, for images of another shape than the
/// data's or the judge's, for labels that are not one per image, and for fewer than two images or too many for a
/// control of the same number.
std::vector<judged_set> judge_images(const softscore::image_batch& images, const softscore::data_set& data,
                                     const std::filesystem::path& judge,
                                     const std::vector<softscore::class_label>& asked = {}, std::size_t threads = 0);

/// Returns the same as text, a line per set.
std::string judged_table(const std::vector<judged_set>& sets);

/// Throws `error` unless the file holds a classifier for images of that shape, or Inception.
void require_judge(const std::filesystem::path& judge, const softscore::shape& image);

/// Returns the share of images in [0, 1] whose most probable class is their label. Throws `error` for a file that is
/// not a classifier, and for images or labels that do not fit it.
double share_named_right(const softscore::image_batch& images, std::span<const softscore::class_label> labels,
                         const std::filesystem::path& judge, std::size_t threads);

}  // namespace digits
