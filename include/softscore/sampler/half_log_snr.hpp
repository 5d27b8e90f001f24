#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/corruption/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// lambda(t) = log(a_t / sigma_t), half of the log-SNR: the clock of the exponential methods. Infinite where one of the
// two is 0.
template <class C>
double half_log_snr(const C& c, diffusion_time t) {
  return std::log(c.signal_gain(t) / c.sigma(t));
}

// The time between `late` and `early` at which lambda, which falls with time, is `wanted`: by bisection to the last
// bit.
template <class C>
diffusion_time time_of_half_log_snr(const C& c, double wanted, diffusion_time late, diffusion_time early) {
  double low = early.value, high = late.value;
  for (;;) {
    const double middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) return diffusion_time{middle};
    (half_log_snr(c, diffusion_time{middle}) > wanted ? low : high) = middle;
  }
}

// How long a step is: in lambda where the signal is a number times the image, in time elsewhere.
template <class C>
double clock_length(const C& c, const step_at& at) {
  if constexpr (ScalarSignal<C>)
    return half_log_snr(c, at.s) - half_log_snr(c, at.t);
  else
    return at.t.value - at.s.value;
}

// psi_k(H) = integral_0^1 exp(-H (1 - v)) v^k dv, the moments of the exponential integrators; H of either sign.
inline double exponential_moment(int k, double length) {
  if (std::abs(length) < 1.0) {
    // sum over n of (-H)^n k! / (n + k + 1)!: what remains after 18 terms is below 1 / 19!.
    double sum = 0.0, part = 1.0 / (k + 1);
    for (int n = 0; n < 18; ++n) {
      sum += part;
      part *= -length / (n + k + 2);
    }
    return sum;
  }
  double moment = -std::expm1(-length) / length;
  for (int j = 1; j <= k; ++j) moment = (1.0 - j * moment) / length;
  return moment;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
