#pragma once

#include <cstddef>
#include <memory>

#include <softscore/core/xtensor.hpp>
#include <softscore/data/labeled_images.hpp>

namespace digits {

/// Scores sets of images by their Frechet distance from the test images in the leading principal components of the
/// training images (Heusel et al. 2017 use features of a network instead). Each set has `count` images. The components
/// are fitted to the training images that are not held out; those that are held out were chosen at random.
struct frechet_scores {
  double images{};    ///< of the images to score
  double held_out{};  ///< of as many training images: the score of a perfect model
  double noise{};     ///< of as many images of uniform noise: the score without a model
  std::size_t count{}, tests{}, components{};
};

/// Training images that are held out from the others: `count` of them, chosen at random because files are rarely in
/// random order. Throws `error` if there are fewer than two, or so many that the same number of training images cannot
/// be held out.
struct held_out_split {
  softscore::image_batch held, rest;
};
held_out_split hold_out(const softscore::data_set& data, std::size_t count);

/// Images of uniform noise.
softscore::image_batch noise_images(const softscore::shape& extent);

/// Returns the images, clipped to [0, 1] as in a picture. Throws `error` if they have another shape than the data's.
softscore::image_batch clipped_images(const softscore::image_batch& images, const softscore::data_set& data);

/// Fits once what is needed to score sets of `count` images against the data. Throws `error` if there are fewer than
/// two, or so many that the same number of training images cannot be held out.
class scorer {
 public:
  scorer(const softscore::data_set& data, std::size_t count);

  /// Scores images in [0, 1]; values outside are clipped, as in a picture. Throws `error` if they have another shape
  /// than the data, or if their number is not `count`.
  frechet_scores operator()(const softscore::image_batch& images) const;

 private:
  struct fitted;
  std::shared_ptr<const fitted> fitted_;  // keeps the linear algebra out of this header
};

/// The same for one set.
frechet_scores score_images(const softscore::image_batch& images, const softscore::data_set& data);

/// Whether there are enough images for `score_images`.
bool can_score(std::size_t images, const softscore::data_set& data);

}  // namespace digits
