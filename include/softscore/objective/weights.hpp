#pragma once

#include <algorithm>
#include <concepts>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>

// Weights of a loss at time t. In the literature each refers to the error of x_0, of eps, of v or of the score. Under C
// = a I these are one error in different units, so a weight says which it refers to, and `weight_on` converts it (own
// derivation).
namespace softscore::inline SOFTSCORE_ABI {

/// `w(corruption, t)` is the weight of the squared error of `W::refers_to` at time t.
template <class W, class C>
concept LossWeight = requires(const W w, const C c, diffusion_time t) {
  { w(c, t) } -> std::same_as<double>;
  { W::refers_to } -> std::convertible_to<prediction>;
};

/// Returns how many units of the error of `what` one unit of the error of x_0 makes, at gain a and noise sigma: a /
/// sigma for eps, 1 / sigma for v, a / sigma^2 for the score (Salimans and Ho 2022).
constexpr double error_scale(prediction what, double a, double sigma) {
  switch (what) {
    case prediction::epsilon:
      return a / sigma;
    case prediction::velocity:
      return 1.0 / sigma;
    case prediction::score:
      return a / (sigma * sigma);
    case prediction::residual:
    case prediction::clean:
    case prediction::preconditioned:
      break;
  }
  return 1.0;
}

/// Returns the weight on the squared error of `to` that equals `weight` on that of `from`.
constexpr double weight_on(prediction to, prediction from, double weight, double a, double sigma) {
  if (to == from) return weight;
  const double ratio = error_scale(from, a, sigma) / error_scale(to, a, sigma);
  return weight * ratio * ratio;
}

/// A weight that needs the corruption's gain a_t states this by `static constexpr bool needs_gain`.
template <class W>
concept NeedsGain = requires { requires W::needs_gain; };

namespace detail {
template <class C>
double snr_of(const C& c, diffusion_time t) {
  const double ratio = c.signal_gain(t) / c.sigma(t);
  return ratio * ratio;
}
}  // namespace detail

/// 1 on the error of one quantity: on eps it is DDPM's simple loss (Ho et al. 2020, Eq. 14), on the score plain score
/// matching.
template <prediction What>
struct unit_weight {
  static constexpr prediction refers_to = What;
  template <class C>
  double operator()(const C&, diffusion_time) const {
    return 1.0;
  }
};

/// 1 / sigma^2 on x_0 (Daras et al. 2022, Appendix D).
struct inverse_variance_weight {
  static constexpr prediction refers_to = prediction::clean;
  template <HasSigma C>
  double operator()(const C& c, diffusion_time t) const {
    const double sigma = c.sigma(t);
    return 1.0 / (sigma * sigma);
  }
};

/// SNR = a^2 / sigma^2 on x_0, which is 1 on eps (Salimans and Ho 2022).
struct snr_weight {
  static constexpr prediction refers_to = prediction::clean;
  static constexpr bool needs_gain = true;
  template <ScalarSignal C>
  double operator()(const C& c, diffusion_time t) const {
    return detail::snr_of(c, t);
  }
};

/// max(SNR, 1) on x_0 (Salimans and Ho 2022, Section 4).
struct truncated_snr_weight {
  static constexpr prediction refers_to = prediction::clean;
  static constexpr bool needs_gain = true;
  template <ScalarSignal C>
  double operator()(const C& c, diffusion_time t) const {
    return (std::max)(1.0, detail::snr_of(c, t));
  }
};

/// min(SNR, `most`) on x_0 (Hang et al. 2023).
struct min_snr_weight {
  static constexpr prediction refers_to = prediction::clean;
  static constexpr bool needs_gain = true;
  double most{5.0};
  template <ScalarSignal C>
  double operator()(const C& c, diffusion_time t) const {
    return (std::min)(most, detail::snr_of(c, t));
  }
};

/// 1 / (`shift` + SNR)^`power` on eps (Choi et al. 2022, Eq. 8, who call it P2).
struct p2_weight {
  static constexpr prediction refers_to = prediction::epsilon;
  static constexpr bool needs_gain = true;
  double shift{1.0}, power{1.0};
  template <ScalarSignal C>
  double operator()(const C& c, diffusion_time t) const {
    return std::pow(shift + detail::snr_of(c, t), -power);
  }
};

/// (s^2 + d^2) / (s d)^2 on x_0 with s = sigma / a and d the standard deviation of the data (Karras et al. 2022, Table
/// 1).
struct edm_weight {
  static constexpr prediction refers_to = prediction::clean;
  static constexpr bool needs_gain = true;
  double data_deviation{0.5};
  template <ScalarSignal C>
  double operator()(const C& c, diffusion_time t) const {
    return detail::snr_of(c, t) + 1.0 / (data_deviation * data_deviation);
  }
};

/// The weight of the variational bound on eps for a chain of `steps` steps with variance beta: beta / (2 alpha (1 -
/// abar)) (Ho et al. 2020, Eq. 12). t is the noisy end of a step whose other end is t - 1 / steps.
struct elbo_weight {
  static constexpr prediction refers_to = prediction::epsilon;
  static constexpr bool needs_gain = true;
  double steps{1000.0};
  template <ScalarSignal C>
  double operator()(const C& c, diffusion_time t) const {
    const double gain = c.signal_gain(t), sigma = c.sigma(t);
    const double before = c.signal_gain(diffusion_time{(std::max)(0.0, t.value - 1.0 / steps)});
    const double alpha = (gain / before) * (gain / before);
    return (1.0 - alpha) / (2.0 * alpha * sigma * sigma);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
