#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>

namespace softscore {

/// DDPM's discrete schedule (EQUATIONS S1; 000): beta_i rises linearly from `first` to `last` over i = 1 .. steps, and
/// abar_i is the product of the 1 - beta. Time t is index i = t * steps; between two indices log abar is linear. Goes
/// with the operator `scaling`: a_t = sqrt(abar_t) is level -log a_t, and sigma_t = sqrt(1 - abar_t).
class linear_beta {
 public:
  /// Throws `error` if `steps` is 0 or a beta does not lie in (0, 1).
  explicit linear_beta(std::size_t steps = 1000, double first = 1e-4, double last = 0.02) : log_abar_(steps + 1) {
    require(steps >= 1, "steps", steps, "at least 1");
    require(first > 0.0 && first < 1.0, "first beta", first, "between 0 and 1");
    require(last > 0.0 && last < 1.0, "last beta", last, "between 0 and 1");
    for (std::size_t i = 1; i <= steps; ++i) {
      const double beta =
          steps == 1 ? first : first + static_cast<double>(i - 1) * (last - first) / static_cast<double>(steps - 1);
      log_abar_[i] = log_abar_[i - 1] + std::log1p(-beta);
    }
  }

  std::size_t steps() const { return log_abar_.size() - 1; }
  level level_at(diffusion_time t) const { return level{-0.5 * log_abar(t)}; }
  double sigma_at(diffusion_time t) const { return std::sqrt(-std::expm1(log_abar(t))); }

 private:
  double log_abar(diffusion_time t) const {
    require(t.value >= 0.0 && t.value <= 1.0, "time", t.value, "between 0 and 1");
    const double place = t.value * static_cast<double>(steps());
    // Times i / steps must land on index i although the product may round to its neighbour.
    const double whole = std::round(place);
    if (std::abs(place - whole) < 1e-9 * (1.0 + whole)) return log_abar_[static_cast<std::size_t>(whole)];
    const auto below = static_cast<std::size_t>(place);
    const double part = place - static_cast<double>(below);
    return (1.0 - part) * log_abar_[below] + part * log_abar_[below + 1];
  }

  std::vector<double> log_abar_;  // entry 0 is abar_0 = 1, which belongs to no beta
};
static_assert(Schedule<linear_beta>);

}  // namespace softscore
