#pragma once

#include <limits>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/corruption/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// lambda(t) = log(a_t / sigma_t), half of the log-SNR: the time variable of the exponential methods. It is infinite if
// one of the two is 0, or if their ratio is so small that its inverse overflows.
template <class C>
double half_log_snr(const C& c, diffusion_time t) {
  const double ratio = c.signal_gain(t) / std::abs(c.sigma(t));
  return ratio < (std::numeric_limits<double>::min)() ? -HUGE_VAL : std::log(ratio);
}

// Whether two values of lambda differ only by the rounding of the numbers they were computed from: a plateau.
inline bool same_half_log_snr(double a, double b) { return a == b || std::abs(a - b) <= 1e-13 * (1.0 + std::abs(a)); }

// The time between `late` and `early` at which lambda, which falls with time, equals `wanted`: by bisection to the last
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

// The change of lambda in a step, 0 on a plateau of the schedule. It is infinite if the step starts without signal
// (even if it ends without signal too) or ends without noise.
template <class C>
double lambda_length(const C& c, const step_at& at) {
  const double from = half_log_snr(c, at.t);
  return std::isfinite(from) ? half_log_snr(c, at.s) - from : HUGE_VAL;
}

// The length of a step: in lambda if the signal is a number times the image, in time otherwise.
template <class C>
double clock_length(const C& c, const step_at& at) {
  if constexpr (ScalarSignal<C>)
    return lambda_length(c, at);
  else
    return at.t.value - at.s.value;
}

// Whether the ratio of noise to signal falls in a step, of `length` in lambda, by more than numbers of type T can
// resolve. A slope at the step's end would divide the rounding of x by the noise there. The formula of order 1 is then
// the limit, as it is in a step that begins without signal or ends without noise.
template <class T>
bool is_jump(double length) {
  return !(length < -std::log(static_cast<double>(std::numeric_limits<T>::epsilon())));
}

// psi_k(H) = integral_0^1 exp(-H (1 - v)) v^k dv, the moments of the exponential integrators; H of either sign.
inline double exponential_moment(int k, double length) {
  if (std::abs(length) < 1.0) {
    // sum over n of (-H)^n k! / (n + k + 1)!: the rest after 18 terms is below 1 / 19!.
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
