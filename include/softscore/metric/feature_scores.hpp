#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/metric/frechet.hpp>
#include <softscore/metric/frechet_extrapolated.hpp>
#include <softscore/metric/inception_score.hpp>
#include <softscore/metric/kernel_distance.hpp>
#include <softscore/metric/mean_and_deviation.hpp>
#include <softscore/metric/network_features.hpp>
#include <softscore/metric/precision_recall.hpp>
#include <softscore/metric/random_subset.hpp>

namespace softscore {  // shared

/// Options of `score_features`.
struct feature_score_options {
  kernel_subsets kernel{};
  std::size_t neighbors{3};
  std::size_t splits{10};
  std::uint64_t seed{0};  ///< of all random choices except the kernel's subsets
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// What a classifier's features say about a set of images, compared with test images.
struct feature_scores {
  double frechet{};  ///< squared Frechet distance; biased upwards by about a constant over N
  std::optional<frechet_line>
      extrapolated{};           ///< to infinitely many images; empty for fewer than 10 F images of F features
  mean_and_deviation kernel{};  ///< kernel distance over subsets; unbiased
  precision_and_recall neighborhood{};
  mean_and_deviation inception{};  ///< the inception score, over ten runs of the images
};

/// Compares the features of a set of images with those of test images. Precision and recall use the same number of
/// both, chosen at random, because balls shrink with more; the other scores use all. Throws `error` as the metrics do.
template <std::floating_point Real>
feature_scores score_features(const basic_judgement<Real>& images, const basic_judgement<Real>& tests,
                              const feature_score_options& options = {}) {
  const auto count = static_cast<std::size_t>(images.features.rows()),
             features = static_cast<std::size_t>(images.features.cols());
  feature_scores found;
  found.frechet = static_cast<double>(frechet_distance(images.features, tests.features));
  if (count >= 10 * features)
    found.extrapolated = frechet_extrapolated(images.features, moments_of(tests.features), {.seed = options.seed});
  found.kernel = kernel_distance(images.features, tests.features, options.kernel);
  const std::size_t like = (std::min)(count, static_cast<std::size_t>(tests.features.rows()));
  found.neighborhood = precision_recall(detail::random_rows(tests.features, like, options.seed, 0),
                                        detail::random_rows(images.features, like, options.seed, 0), options.neighbors);
  // In random order, because images that are sorted by class would have runs of one class.
  found.inception = inception_score(detail::random_rows(images.probabilities, count, options.seed, 0),
                                    (std::min)(options.splits, count));
  return found;
}

}  // namespace softscore::inline SOFTSCORE_ABI
