#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/corruption/concept.hpp>

// Time grids for samplers. Every grid made here has as many steps as evaluations: its last step goes from the last
// requested time to exactly time 0.
namespace softscore::inline SOFTSCORE_ABI {

/// A corruption whose signal is a number times the image, so that it has a log-SNR and each log-SNR belongs to one
/// time.
template <class C>
concept HasLogSnr = requires(const C c, diffusion_time t, double lambda) {
  { c.log_snr(t) } -> std::same_as<double>;
  { c.time_of_log_snr(lambda) } -> std::same_as<diffusion_time>;
};

namespace detail {
template <class Indices>
time_grid grid_through(std::size_t table_steps, const Indices& falling) {
  require(!falling.empty(), "number of indices", falling.size(), "at least 1");
  std::vector<double> times;
  for (const std::size_t i : falling) {
    require(i < table_steps, "index", i, "below the number of steps of the table");
    times.push_back(static_cast<double>(i + 1) / static_cast<double>(table_steps));
  }
  times.push_back(0.0);
  return time_grid{std::move(times)};
}
template <class = when_called>
void require_steps(std::size_t table_steps, std::size_t steps) {
  require(steps >= 1 && steps <= table_steps, "steps", steps, "at least 1 and at most those of the table");
}
}  // namespace detail

/// Returns the grid through indices of a table of T steps, counted from 0 as is usual in the field: index i is time (i
/// + 1) / T. Throws `error` if there are no indices, they do not fall, or one is not below `table_steps`.
template <class = when_called>
time_grid grid_of_indices(std::size_t table_steps, std::span<const std::size_t> falling) {
  return detail::grid_through(table_steps, falling);
}
template <class = when_called>
time_grid grid_of_indices(std::size_t table_steps, std::initializer_list<std::size_t> falling) {
  return detail::grid_through(table_steps, std::span<const std::size_t>{falling.begin(), falling.size()});
}

/// Returns `steps` indices from T - 1 to 0, evenly spaced and rounded to the nearest, halves to even ("linspace"; Lin
/// et al. 2023, Table 2). Throws `error` unless 1 <= steps <= T, as do the lists below.
template <class = when_called>
std::vector<std::size_t> linspace_indices(std::size_t table_steps, std::size_t steps) {
  detail::require_steps(table_steps, steps);
  auto indices = vector_of<std::size_t>("steps", {steps}, table_steps - 1);
  for (std::size_t i = 1; i < steps; ++i)
    indices[i] = static_cast<std::size_t>(std::nearbyint(
        static_cast<double>(table_steps - 1) * static_cast<double>(steps - 1 - i) / static_cast<double>(steps - 1)));
  return indices;
}

/// Returns multiples of the integer stride T / steps, plus `offset`, from the largest down to `offset` ("leading"; Lin
/// et al. 2023, Table 2).
template <class = when_called>
std::vector<std::size_t> leading_indices(std::size_t table_steps, std::size_t steps, std::size_t offset = 0) {
  detail::require_steps(table_steps, steps);
  auto indices = vector_of<std::size_t>("steps", {steps});
  for (std::size_t i = 0; i < steps; ++i) indices[i] = (steps - 1 - i) * (table_steps / steps) + offset;
  return indices;
}

/// Returns T - i T / steps - 1, rounded, for i = 0, 1, ..: the list always contains the last index T - 1 ("trailing";
/// Lin et al. 2023, Table 2).
template <class = when_called>
std::vector<std::size_t> trailing_indices(std::size_t table_steps, std::size_t steps) {
  detail::require_steps(table_steps, steps);
  auto indices = vector_of<std::size_t>("steps", {steps});
  const double stride = static_cast<double>(table_steps) / static_cast<double>(steps);
  for (std::size_t i = 0; i < steps; ++i)
    indices[i] =
        static_cast<std::size_t>(std::nearbyint(static_cast<double>(table_steps) - static_cast<double>(i) * stride)) -
        1;
  return indices;
}

/// Returns squares of evenly spaced numbers from sqrt(0.8 T) to 0, truncated to integers with the arithmetic of the
/// public code (Song, Meng and Ermon 2021, Appendix D.2): more steps where little noise is left. With many steps the
/// smallest indices repeat, as they do in the published lists of 50 and 100 of 1000.
template <class = when_called>
std::vector<std::size_t> quadratic_indices(std::size_t table_steps, std::size_t steps) {
  detail::require_steps(table_steps, steps);
  auto indices = vector_of<std::size_t>("steps", {steps});
  const double most = std::sqrt(0.8 * static_cast<double>(table_steps));
  for (std::size_t i = 0; i < steps; ++i) {
    const double root = i == 0 ? most : static_cast<double>(steps - 1 - i) * (most / static_cast<double>(steps - 1));
    indices[i] = static_cast<std::size_t>(root * root);
  }
  return indices;
}

/// Return the grids of these lists.
template <class = when_called>
time_grid linspace_grid(std::size_t table_steps, std::size_t steps) {
  return detail::grid_through(table_steps, linspace_indices(table_steps, steps));
}
template <class = when_called>
time_grid leading_grid(std::size_t table_steps, std::size_t steps, std::size_t offset = 0) {
  return detail::grid_through(table_steps, leading_indices(table_steps, steps, offset));
}
template <class = when_called>
time_grid trailing_grid(std::size_t table_steps, std::size_t steps) {
  return detail::grid_through(table_steps, trailing_indices(table_steps, steps));
}
/// A sampler's step from an index to itself changes nothing, so this grid contains a repeated index of its list only
/// once. It draws the images of the published lists in fewer steps: 49 for 50, and 96 for 100. Throws `error` if more
/// than a tenth of the list repeats.
template <class = when_called>
time_grid quadratic_grid(std::size_t table_steps, std::size_t steps) {
  const std::vector<std::size_t> all = quadratic_indices(table_steps, steps);
  std::vector<std::size_t> once = all;
  once.erase(std::unique(once.begin(), once.end()), once.end());
  return detail::grid_through(table_steps, 10 * once.size() < 9 * all.size() ? all : once);
}

/// Returns `count` noise levels from `most` down to `least` whose roots of order `rho` are evenly spaced (Karras et al.
/// 2022, Eq. 5), both ends exact. Throws `error` unless 0 < least < most, rho > 0 and count >= 1.
template <class = when_called>
std::vector<double> karras_sigmas(std::size_t count, double least, double most, double rho = 7.0) {
  require(count >= 1, "count", count, "at least 1");
  require(std::isfinite(most), "most", most, "finite");
  require(least > 0.0 && least < most, "least", least, "above 0 and below most");
  require(rho > 0.0 && std::isfinite(rho), "rho", rho, "above 0 and finite");
  auto sigmas = vector_of<double>("count", {count}, most);
  const double first = std::pow(most, 1.0 / rho), last = std::pow(least, 1.0 / rho);
  for (std::size_t i = 1; i < count; ++i)
    sigmas[i] = i + 1 == count
                    ? least
                    : std::pow(first + static_cast<double>(i) / static_cast<double>(count - 1) * (last - first), rho);
  return sigmas;
}

/// Returns the grid of times at which sigma / a, the ratio of noise to signal, has the given falling values. Throws
/// `error` if a ratio is not between those of time 0 and time 1, or is that of time 0, where the grid ends anyway.
template <HasLogSnr C>
time_grid grid_of_noise(const C& corruption, std::span<const double> sigma_over_gain) {
  std::vector<double> times;
  for (const double ratio : sigma_over_gain) {
    require(ratio > 0.0, "ratio of noise to signal", ratio, "above 0");
    double lambda = -2.0 * std::log(ratio);
    // The noisiest one may be that of time 1 itself, up to rounding.
    const double least = corruption.log_snr(diffusion_time{1.0});
    if (std::abs(lambda - least) <= 1e-12 * (1.0 + std::abs(least))) lambda = least;
    times.push_back(corruption.time_of_log_snr(lambda).value);
    require(times.back() > 0.0, "ratio of noise to signal", ratio, "above that of time 0, where the grid ends");
  }
  times.push_back(0.0);
  return time_grid{std::move(times)};
}
template <HasLogSnr C>
time_grid grid_of_noise(const C& corruption, std::initializer_list<double> sigma_over_gain) {
  return grid_of_noise(corruption, std::span<const double>{sigma_over_gain.begin(), sigma_over_gain.size()});
}

/// Returns Karras' spacing of sigma / a between `least` and `most` as a grid of `steps` steps.
template <HasLogSnr C>
time_grid karras_grid(const C& corruption, std::size_t steps, double least = 0.002, double most = 80.0,
                      double rho = 7.0) {
  return grid_of_noise(corruption, karras_sigmas(steps, least, most, rho));
}

/// Returns `steps` times evenly spaced in log-SNR, from time `from` to time `last`, and then 0 (Lu et al. 2022a,
/// Section 3.4). Throws `error` unless 1 >= from > last > 0 and the log-SNR of both is finite.
template <HasLogSnr C>
time_grid log_snr_grid(const C& corruption, std::size_t steps, double from = 1.0, double last = 1e-3) {
  require(steps >= 1, "steps", steps, "at least 1");
  require(from <= 1.0, "from", from, "at most 1");
  require(last > 0.0 && last < from, "last", last, "above 0 and below from");
  const double least = corruption.log_snr(diffusion_time{from}), most = corruption.log_snr(diffusion_time{last});
  require(std::isfinite(least), "log-SNR at the start of the grid", least, "finite");
  require(std::isfinite(most), "log-SNR at the end of the grid", most, "finite");
  std::vector<double> times{from};
  for (std::size_t i = 1; i < steps; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(steps - 1);
    times.push_back(i + 1 == steps ? last : corruption.time_of_log_snr(least + part * (most - least)).value);
  }
  times.push_back(0.0);
  return time_grid{std::move(times)};
}

}  // namespace softscore::inline SOFTSCORE_ABI
