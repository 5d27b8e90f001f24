#pragma once

#include <algorithm>
#include <cstddef>
#include <numbers>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/beta_table.hpp>
#include <softscore/corruption/preserving.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The cosine schedule in continuous time (Nichol and Dhariwal 2021, Eq. 17): abar(t) = f(t) / f(0), f(t) = cos^2(pi/2
/// (t + offset) / (1 + offset)). It is used with `scaling`. At the schedule's own time 1 no signal is left and the
/// level is infinite. Our time 1 is its time `horizon`; 0.9946 (Lu et al. 2022a) keeps log-SNR finite for methods that
/// need it.
struct cosine {
  double offset{0.008}, horizon{1.0};

  /// Throws `error` unless `offset` is at least 0 and `horizon` in (0, 1].
  void check() const {
    require(offset >= 0.0 && std::isfinite(offset), "offset", offset, "at least 0 and finite");
    require(horizon > 0.0 && horizon <= 1.0, "horizon", horizon, "above 0 and at most 1");
  }

  level level_at(diffusion_time t) const {
    const double turned = turn() * horizon * t.value, start = turn() * offset;
    // At early times the loss of signal is small, at late times the signal itself: each is computed without
    // cancellation.
    if (turned < 0.5)
      return level{-std::log1p(-2.0 * std::pow(std::sin(0.5 * turned), 2) - std::tan(start) * std::sin(turned))};
    return level{std::log(std::cos(start)) - std::log(std::sin(turn() * (1.0 - horizon * t.value)))};
  }
  double sigma_at(diffusion_time t) const { return detail::preserving_sigma(level_at(t).value); }
  double level_rate_at(diffusion_time t) const {
    return horizon * turn() / std::tan(turn() * (1.0 - horizon * t.value));
  }
  double gain_rate_at(diffusion_time t) const {
    return -horizon * turn() * std::cos(turn() * (1.0 - horizon * t.value)) / std::cos(turn() * offset);
  }
  double sigma_rate_at(diffusion_time t) const {
    return detail::preserving_sigma_rate(level_at(t).value, level_rate_at(t));
  }

 private:
  double turn() const { return 0.5 * std::numbers::pi / (1.0 + offset); }
};
static_assert(Schedule<cosine>);

/// The cosine schedule as a table of T steps (Nichol and Dhariwal 2021): beta_i = 1 - abar(i/T) / abar((i-1)/T), at
/// most `cap`.
class cosine_beta : public beta_table {
 public:
  /// Throws `error` if `steps` is 0, `cap` not in (0, 1) or `offset` below 0.
  explicit cosine_beta(std::size_t steps = 1000, double cap = 0.999, double offset = 0.008)
      : beta_table{betas(steps, cap, offset)} {}

 private:
  static std::vector<double> betas(std::size_t steps, double cap, double offset) {
    require(cap > 0.0 && cap < 1.0, "cap", cap, "between 0 and 1");
    const cosine continuous{.offset = offset};
    continuous.check();
    const auto level_of = [&](std::size_t i) {
      return continuous.level_at(diffusion_time{static_cast<double>(i) / static_cast<double>(steps)}).value;
    };
    auto all = vector_of<double>("steps", {steps});
    for (std::size_t i = 1; i <= steps; ++i)
      all[i - 1] = (std::min)(cap, -std::expm1(-2.0 * (level_of(i) - level_of(i - 1))));
    return all;
  }
};
static_assert(Schedule<cosine_beta>);

}  // namespace softscore::inline SOFTSCORE_ABI
