#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/metric/frechet.hpp>
#include <softscore/metric/random_subset.hpp>

namespace softscore {  // shared

/// A straight line through distances of sets of N samples, as a function of 1/N.
struct frechet_line {
  double infinite{};   ///< its value at 1/N = 0: without the bias of a small set
  double slope{};      ///< the bias times N
  double deviation{};  ///< standard deviation of the distances from the line
  double at_all{};     ///< the distance of all samples
};

/// Where `frechet_extrapolated` fits its line.
struct frechet_sizes {
  std::size_t least{};     ///< samples of the smallest subset; 0 for a tenth of all, and at least twice the features
  std::size_t points{15};  ///< subsets, of sizes at equal intervals from `least` to all
  std::uint64_t seed{0};
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

/// Returns the least-squares line through (1/N, distance) (textbook).
inline frechet_line line_over_inverse(std::span<const double> sizes, std::span<const double> distances) {
  const auto count = static_cast<double>(sizes.size());
  double mean_x = 0.0, mean_y = 0.0, xx = 0.0, xy = 0.0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    mean_x += 1.0 / sizes[i] / count;
    mean_y += distances[i] / count;
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const double x = 1.0 / sizes[i] - mean_x;
    xx += x * x;
    xy += x * (distances[i] - mean_y);
  }
  frechet_line line;
  line.slope = xy / xx;
  line.infinite = mean_y - line.slope * mean_x;
  double squares = 0.0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const double off = distances[i] - line.infinite - line.slope / sizes[i];
    squares += off * off;
  }
  line.deviation = std::sqrt(squares / count);
  return line;
}

}  // namespace detail

/// Returns the Frechet distance of a set of samples from a normal distribution, extrapolated to infinitely many
/// samples. The distance of N samples is biased upwards by about a constant over N, so a line through the distances of
/// random subsets, as a function of 1/N, has no bias at 1/N = 0 (Chong and Forsyth 2020, Section 4). The set that the
/// distribution itself was fitted to is not extrapolated. Throws `error` for fewer than two points, unless `least` is
/// at least 2 and below the number of samples, and as `frechet_distance` does.
template <std::floating_point Real>
frechet_line frechet_extrapolated(const row_matrix<Real>& samples, const basic_gaussian_moments<Real>& distribution,
                                  const frechet_sizes& sizes = {}) {
  const auto all = static_cast<std::size_t>(samples.rows()), features = static_cast<std::size_t>(samples.cols());
  const std::size_t least = sizes.least > 0 ? sizes.least : (std::max)(all / 10, 2 * features);
  require(sizes.points >= 2, "points", sizes.points, "at least 2");
  require(least >= 2 && least < all, "the number of samples of the smallest subset", least,
          "at least 2 and below that of all, " + detail::shown(all));
  detail::require_finite_rows(samples, "sample", "the samples");
  std::vector<double> counts, distances;
  for (std::size_t k = 0; k < sizes.points; ++k) {
    const std::size_t count = least + (all - least) * k / (sizes.points - 1);
    const auto subset = detail::random_rows(samples, count, sizes.seed, k);
    counts.push_back(static_cast<double>(count));
    distances.push_back(static_cast<double>(frechet_distance(moments_of(subset), distribution)));
  }
  frechet_line line = detail::line_over_inverse(counts, distances);
  line.at_all = distances.back();
  return line;
}

}  // namespace softscore::inline SOFTSCORE_ABI
