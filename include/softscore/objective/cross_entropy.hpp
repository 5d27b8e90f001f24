#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/corruption/archetype.hpp>
#include <softscore/denoiser/archetype.hpp>
#include <softscore/objective/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

/// The logarithm of the sum of e^s over scores s (textbook). The largest score is factored out, so that nothing
/// overflows.
template <class T>
double log_sum_exp(std::span<const T> scores) {
  const auto most = static_cast<double>(*std::max_element(scores.begin(), scores.end()));
  double sum = 0.0;
  for (const T score : scores) sum += std::exp(static_cast<double>(score) - most);
  return most + std::log(sum);
}

}  // namespace detail

/// The cross-entropy of a classifier, in nats: -sum_k q_k log p_k, where p is the softmax of the network's `classes`
/// scores (N,K,1,1) and q is 1 at the image's label. With label smoothing e, q is 1 - e + e / K there and e / K
/// elsewhere (Szegedy et al. 2016, Section 7). Under `undamaged` it trains on clean images, under any other corruption
/// on x_t and its time. The gradient in the scores is p - q.
struct cross_entropy {
  static constexpr bool needs_labels = true;
  std::size_t classes{10};
  double label_smoothing{0.0};

  shape output(const shape& images) const { return {images.images, classes, 1, 1}; }

  /// Throws `error` unless there are at least two classes and the smoothing is at least 0 and below 1.
  template <Scalar T, class Be>
  std::vector<T> workspace(Be&, const shape& most) const {
    require(classes >= 2, "the number of classes of a cross-entropy", classes, "at least 2");
    require(label_smoothing >= 0.0 && label_smoothing < 1.0, "label_smoothing", label_smoothing,
            "at least 0 and below 1");
    return std::vector<T>(most.images * classes);
  }

  /// Throws `error` unless each image has a label that names a class.
  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C&, const D&, DM&, const corrupted_batch<Be, T>& batch, in_of<Be, T> phi,
                out_of<Be, T> gradient, double* losses, M& scores) const {
    const std::size_t images = phi.extent().images;
    require(batch.given.labels.size() == images, "number of labels that a cross-entropy gets",
            batch.given.labels.size(), "that of the images, " + detail::shown(images));
    be.download(phi, scores.data());
    for (std::size_t n = 0; n < images; ++n)
      losses[n] = of_image(std::span<T>{scores}.subspan(n * classes, classes), batch.given.labels[n], n, images);
    be.upload(scores.data(), gradient);
  }

 private:
  // Returns the loss and turns the scores into their gradient.
  template <class T>
  double of_image(std::span<T> scores, class_label label, std::size_t number, std::size_t images) const {
    if (label < 0 || static_cast<std::size_t>(label) >= classes)
      reject("the label of image " + detail::shown(number) + " of a batch", label,
             "between 0 and " + detail::shown(classes - 1) + ", for a cross-entropy");
    const double of_all = detail::log_sum_exp(std::span<const T>{scores}),
                 share = label_smoothing / static_cast<double>(classes);
    double loss = 0.0;
    for (std::size_t k = 0; k < classes; ++k) {
      const double log_p = static_cast<double>(scores[k]) - of_all,
                   q = share + (k == static_cast<std::size_t>(label) ? 1.0 - label_smoothing : 0.0);
      if (q > 0.0) loss -= q * log_p;
      scores[k] = static_cast<T>((std::exp(log_p) - q) / static_cast<double>(images));
    }
    return loss;
  }
};
static_assert(Objective<cross_entropy, archetype_corruption, archetype_denoiser, archetype_backend, float>);
static_assert(StatesNetworkOutput<cross_entropy>);

}  // namespace softscore::inline SOFTSCORE_ABI
