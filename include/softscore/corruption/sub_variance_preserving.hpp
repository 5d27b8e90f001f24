#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/corruption/monotone.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The diffusion whose variance stays below that of `variance_preserving` (Song et al. 2021, Eq. 29): the same rate
/// beta(t) from `rate_first` to `rate_last` and its integral B, a_t = exp(-B / 2), and sigma_t = 1 - exp(-B). Goes with
/// `scaling`.
struct sub_variance_preserving {
  double rate_first{0.1}, rate_last{20.0};

  /// Throws `error` for rates that are negative or both 0.
  void check() const {
    require(rate_first >= 0.0 && std::isfinite(rate_first), "rate_first", rate_first, "at least 0 and finite");
    require(rate_last >= 0.0 && rate_first + rate_last > 0.0 && std::isfinite(rate_last), "rate_last", rate_last,
            "at least 0, finite, and not 0 if rate_first is");
  }

  constexpr level level_at(diffusion_time t) const { return level{0.5 * integral(t.value)}; }
  double sigma_at(diffusion_time t) const { return -std::expm1(-integral(t.value)); }
  constexpr double level_rate_at(diffusion_time t) const { return 0.5 * rate(t.value); }
  double sigma_rate_at(diffusion_time t) const { return std::exp(-integral(t.value)) * rate(t.value); }

 private:
  constexpr double rate(double t) const { return rate_first + t * (rate_last - rate_first); }
  constexpr double integral(double t) const { return t * (rate_first + 0.5 * t * (rate_last - rate_first)); }
};
static_assert(Schedule<sub_variance_preserving>);
// a falls and sigma rises with B, so log-SNR falls where the level rises.
static_assert(detail::falls_over_time([](diffusion_time t) { return -sub_variance_preserving{}.level_at(t).value; }));
static_assert(sub_variance_preserving{}.level_at(diffusion_time{0.0}).value == 0.0);
static_assert(sub_variance_preserving{}.level_at(diffusion_time{1.0}).value > 5.025 - 1e-14 &&
              sub_variance_preserving{}.level_at(diffusion_time{1.0}).value < 5.025 + 1e-14);  // two roundings

}  // namespace softscore::inline SOFTSCORE_ABI
