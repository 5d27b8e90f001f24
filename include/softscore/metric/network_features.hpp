#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/pixel_scale.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/nn/classifier.hpp>
#include <softscore/nn/concept.hpp>

namespace softscore {  // shared

/// How a classifier evaluates images.
struct judging_options {
  std::size_t batch_size{256};  ///< images that are evaluated together; the result does not depend on it
  pixel_scale pixels{};         ///< from a pixel in [0, 1] to what the network sees, as in training
  diffusion_time time{0.0};     ///< of all images, for a network that takes the time
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// The output of a classifier for images, one per row.
template <std::floating_point Real>
struct basic_judgement {
  row_matrix<Real> features;       ///< N x F
  row_matrix<Real> probabilities;  ///< N x K: the softmax of its scores
};
using judgement = basic_judgement<double>;

/// Computes a classifier's features and probabilities of `images` (N,c,H,W). They have the same bits for any batch
/// size. Throws `error` for a batch size of 0, for images of another shape than the network's, and if a feature is not
/// finite.
template <class Be, class Net, std::floating_point Real = double>
  requires GivesFeatures<Net, Be, float>
basic_judgement<Real> judge(Be& be, const Net& net, std::type_identity_t<view<const float, host_space>> images,
                            const judging_options& options = {}) {
  const shape all = images.extent();
  require(options.batch_size >= 1, "batch_size", options.batch_size, "at least 1");
  require(all.with_images(1) == net.image().with_images(1), "the shape of the images that a classifier sees", all,
          "that of the images that it was made for, " + detail::shown(net.image()));
  const std::size_t most = (std::min)(options.batch_size, all.images), features = net.feature_count(),
                    classes = net.class_count();
  auto ws = net.template workspace<float>(be, all.with_images(most));
  auto x = be.template make<float>(all.with_images(most));
  auto scores = be.template make<float>({most, classes, 1, 1});
  std::vector<float> pixels(all.with_images(most).size()), of_features(most * features), of_scores(most * classes);
  const auto rows = eigen_index(all.images);
  basic_judgement<Real> found{matrix_of<row_matrix<Real>>("features", rows, eigen_index(features)),
                              matrix_of<row_matrix<Real>>("probabilities", rows, eigen_index(classes))};
  for (std::size_t first = 0; first < all.images; first += most) {
    const std::size_t count = (std::min)(most, all.images - first);
    const auto from = images.images(first, count);
    for (std::size_t i = 0; i < from.size(); ++i) pixels[i] = options.pixels.gain * from[i] + options.pixels.offset;
    be.upload(pixels.data(), x.view().images(0, count));
    const auto out = scores.view().images(0, count);
    net.evaluate(be, options.time, view_of<Be, const float>(x.view().images(0, count)), out, ws);
    be.download(view_of<Be, const float>(out), of_scores.data());
    be.download(view_of<Be, const float>(net.features(ws)), of_features.data());
    const auto at = eigen_index(first), length = eigen_index(count);
    found.features.middleRows(at, length) = as_matrix(of_features.data(), count, features).template cast<Real>();
    auto p = found.probabilities.middleRows(at, length);
    p = as_matrix(of_scores.data(), count, classes).template cast<Real>();
    for (Eigen::Index i = 0; i < length; ++i) {
      p.row(i).array() = (p.row(i).array() - p.row(i).maxCoeff()).exp();
      p.row(i) /= p.row(i).sum();
    }
  }
  for (Eigen::Index i = 0; i < rows; ++i)
    if (!found.features.row(i).allFinite() || !found.probabilities.row(i).allFinite())
      reject("what a classifier makes of image " + detail::shown(i), "not finite", "finite");
  return found;
}

/// Returns the share of images whose most probable class is their label, in [0, 1]. Throws `error` unless there is at
/// least one image and each has a label below the number of classes.
template <std::floating_point Real>
double accuracy(const row_matrix<Real>& probabilities, std::span<const class_label> labels) {
  require(probabilities.rows() >= 1, "the number of images", probabilities.rows(), "at least 1");
  require(eigen_index(labels.size()) == probabilities.rows(), "the number of labels", labels.size(),
          "that of the images, " + detail::shown(probabilities.rows()));
  std::size_t right = 0;
  for (Eigen::Index i = 0; i < probabilities.rows(); ++i) {
    const Eigen::Index label{labels[static_cast<std::size_t>(i)]};
    require(label >= 0 && label < probabilities.cols(), "the label of image " + detail::shown(i), label,
            "at least 0 and below the number of classes, " + detail::shown(probabilities.cols()));
    Eigen::Index most = 0;
    probabilities.row(i).maxCoeff(&most);
    right += most == label ? 1u : 0u;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

}  // namespace softscore::inline SOFTSCORE_ABI
