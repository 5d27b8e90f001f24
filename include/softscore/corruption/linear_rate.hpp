#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/corruption/monotone.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A diffusion whose rate beta(t) changes linearly from `rate_first` to `rate_last`. With B its integral from 0 to t,
/// a_t = exp(-B / 2), so the level of the operator `scaling` is B / 2. `Noise` computes sigma_t and its rate from that
/// level and its rate.
template <class Noise>
struct linear_rate {
  double rate_first{0.1}, rate_last{20.0};

  /// Throws `error` unless the rates are finite, not negative and not both 0.
  void check() const {
    require(rate_first >= 0.0 && std::isfinite(rate_first), "rate_first", rate_first, "at least 0 and finite");
    require(rate_last >= 0.0 && rate_first + rate_last > 0.0 && std::isfinite(rate_last), "rate_last", rate_last,
            "at least 0, finite, and not 0 if rate_first is");
  }

  constexpr level level_at(diffusion_time t) const {
    return level{0.5 * (t.value * (rate_first + 0.5 * t.value * (rate_last - rate_first)))};
  }
  constexpr double level_rate_at(diffusion_time t) const {
    return 0.5 * (rate_first + t.value * (rate_last - rate_first));
  }
  double sigma_at(diffusion_time t) const { return Noise::sigma(level_at(t).value); }
  double sigma_rate_at(diffusion_time t) const { return Noise::sigma_rate(level_at(t).value, level_rate_at(t)); }
};

namespace detail {
// a falls and sigma rises with B, so log-SNR falls wherever the level rises, here from no noise to B = 10.05.
template <class S>
constexpr bool ends_of_linear_rate = falls_over_time([](diffusion_time t) { return -S{}.level_at(t).value; }) &&
                                     S{}.level_at(diffusion_time{0.0}).value == 0.0 &&
                                     S{}.level_at(diffusion_time{1.0}).value > 5.025 - 1e-14 &&
                                     S{}.level_at(diffusion_time{1.0}).value < 5.025 + 1e-14;  // two roundings
}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
