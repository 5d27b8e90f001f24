#pragma once

#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A discrete chain given by its betas (Ho et al. 2020, Eq. 4): abar_i is the product of the 1 - beta up to index i,
/// and abar_0 = 1. Time t is index i = t * steps; log abar is linear between two indices. It is used with the operator
/// `scaling`: a_t = sqrt(abar_t) corresponds to level -log a_t, and sigma_t = sqrt(1 - abar_t).
class beta_table {
 public:
  /// From the betas of the indices 1, 2, ..., T. Throws `error` if there are none, or if one is below 0 or not below 1.
  explicit beta_table(const std::vector<double>& betas) : log_abar_(betas.size() + 1) {
    require(!betas.empty(), "steps", betas.size(), "at least 1");
    for (std::size_t i = 0; i < betas.size(); ++i) {
      require(betas[i] >= 0.0 && betas[i] < 1.0, "beta", betas[i], "at least 0 and below 1");
      log_abar_[i + 1] = log_abar_[i] + std::log1p(-betas[i]);
    }
  }
  /// Makes the same from log abar at the indices 0, 1, ..., T. The first is 0, and they never rise; the last may be
  /// minus infinity. Throws `error` otherwise.
  static beta_table from_log_abar(std::vector<double> log_abar) {
    require(log_abar.size() >= 2, "number of entries of log abar", log_abar.size(), "at least 2");
    require(log_abar[0] == 0.0, "log abar at index 0", log_abar[0], "0");
    for (std::size_t i = 1; i < log_abar.size(); ++i)
      require(log_abar[i] <= log_abar[i - 1] && (i + 1 == log_abar.size() || std::isfinite(log_abar[i])), "log abar",
              log_abar[i], "at most the entry before it, and finite before the last");
    return beta_table{std::move(log_abar), from_logs{}};
  }

  std::size_t steps() const { return log_abar_.size() - 1; }
  /// Returns the logarithm of abar at an index from 0 to `steps()`.
  double log_abar(std::size_t index) const { return log_abar_.at(index); }
  /// Returns beta at an index from 1 to `steps()`.
  double beta(std::size_t index) const { return -std::expm1(log_abar_.at(index) - log_abar_.at(index - 1)); }

  level level_at(diffusion_time t) const { return level{-0.5 * log_abar_at(t)}; }
  double sigma_at(diffusion_time t) const { return std::sqrt(std::abs(std::expm1(log_abar_at(t)))); }
  /// dw/dt; at an index, that of the interval after it. Infinite at time 1 if no signal is left there.
  double level_rate_at(diffusion_time t) const {
    const auto [below, part] = place_of(t);
    const std::size_t from = below == steps() ? below - 1 : below;
    const auto count = static_cast<double>(steps());
    if (!std::isfinite(log_abar_[from + 1]))
      return below == steps() ? std::numeric_limits<double>::infinity() : count / (1.0 - part);
    return 0.5 * count * (log_abar_[from] - log_abar_[from + 1]);
  }
  /// d exp(-w) / dt, likewise; finite where the signal ends.
  double gain_rate_at(diffusion_time t) const {
    const std::size_t below = place_of(t).below, from = below == steps() ? below - 1 : below;
    if (!std::isfinite(log_abar_[from + 1])) return -static_cast<double>(steps()) * std::exp(0.5 * log_abar_[from]);
    return -level_rate_at(t) * std::exp(0.5 * log_abar_at(t));
  }
  /// d sigma / dt, from sigma^2 = 1 - exp(-2 w); infinite at time 0, where sigma is 0.
  double sigma_rate_at(diffusion_time t) const {
    const double left = std::exp(log_abar_at(t)), rate = left == 0.0 ? 0.0 : level_rate_at(t);
    return rate == 0.0 ? 0.0 : left * rate / sigma_at(t);
  }

 private:
  struct from_logs {};
  beta_table(std::vector<double> log_abar, from_logs) : log_abar_{std::move(log_abar)} {}

  struct place {
    std::size_t below{};
    double part{};  // fraction of the interval after index `below`
  };
  place place_of(diffusion_time t) const {
    require(t.value >= 0.0 && t.value <= 1.0, "time", t.value, "between 0 and 1");
    const double exact = t.value * static_cast<double>(steps()), whole = std::round(exact);
    // Time i / steps must give index i exactly, although the rounded product may be a neighbor of it.
    if (std::abs(exact - whole) < 1e-9 * (1.0 + whole)) return {static_cast<std::size_t>(whole), 0.0};
    const auto below = static_cast<std::size_t>(exact);
    return {below, exact - static_cast<double>(below)};
  }
  double log_abar_at(diffusion_time t) const {
    const auto [below, part] = place_of(t);
    // Rounding must not make a plateau rise.
    if (part == 0.0 || log_abar_[below + 1] == log_abar_[below]) return log_abar_[below];
    // Towards an end where abar is 0, its logarithm cannot be linear; there a falls linearly.
    if (!std::isfinite(log_abar_[below + 1])) return log_abar_[below] + 2.0 * std::log1p(-part);
    return (1.0 - part) * log_abar_[below] + part * log_abar_[below + 1];
  }

  std::vector<double> log_abar_;  // entry 0 is abar_0 = 1, which has no beta
};
static_assert(Schedule<beta_table>);

/// Returns a table that ends without signal (Lin et al. 2023, Algorithm 1): a_i is shifted and scaled so that a_1 keeps
/// its value and a_T becomes 0. At time 1 the noise then says nothing about x_0, so the network must predict x_0 or v.
/// Throws `error` for a table of one step.
template <class = when_called>
beta_table zero_terminal_snr(const beta_table& table) {
  const std::size_t steps = table.steps();
  require(steps >= 2, "steps", steps, "at least 2 where the last signal is moved to 0");
  const auto gain = [&](std::size_t i) { return std::exp(0.5 * table.log_abar(i)); };
  const double first = gain(1), last = gain(steps);
  std::vector<double> log_abar(steps + 1);
  log_abar[1] = table.log_abar(1);
  for (std::size_t i = 2; i < steps; ++i) log_abar[i] = 2.0 * std::log((gain(i) - last) * first / (first - last));
  log_abar[steps] = -std::numeric_limits<double>::infinity();
  return beta_table::from_log_abar(std::move(log_abar));
}

}  // namespace softscore::inline SOFTSCORE_ABI
