#pragma once

#include <algorithm>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/sampler/one_evaluation.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// The weights that keep the marginals of a one-image data set if the fresh noise has deviation `add`.
inline step_weights marginal_weights(double sigma_t, double sigma_s, double add) {
  const double rest = std::sqrt((std::max)(0.0, (sigma_s - add) * (sigma_s + add)));
  return {sigma_t == rest ? 1.0 : rest / sigma_t, add};
}
}  // namespace detail

/// DDIM with a share `eta` of the ancestral noise, from 0 (none, the default) to 1 (Song, Meng and Ermon 2021): k = eta
/// (sigma_s / sigma_t) sqrt(sigma_t^2 - g^2 sigma_s^2), where g = a_t / a_s for C = a I and 1 otherwise. With eta = 1
/// it is `ddpm` with its smaller variance.
struct ddim : one_evaluation<ddim> {
  double eta{0.0};

  ddim() = default;
  /// Throws `error` unless 0 <= eta <= 1.
  explicit ddim(double share) : eta{share} { require(eta >= 0.0 && eta <= 1.0, "eta", eta, "between 0 and 1"); }

  template <class C>
  step_weights weights(const C& c, const step_at& at) const {
    const double sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s);
    if (eta == 0.0 || sigma_s == 0.0) return detail::marginal_weights(sigma_t, sigma_s, 0.0);
    double g = 1.0;
    if constexpr (ScalarSignal<C>) g = gain_ratio(c, at);
    // The part that is kept is written as a sum: where no signal is left at t, sqrt(sigma_s^2 - k^2) would be rounding
    // alone.
    const double r = (std::min)(1.0, g * sigma_s / sigma_t);
    const double kept = sigma_s * std::sqrt((1.0 - eta) * (1.0 + eta) + eta * eta * r * r);
    return {kept / sigma_t, eta * sigma_s * std::sqrt((1.0 - r) * (1.0 + r))};
  }
};
static_assert(Sampler<ddim, archetype_run>);

/// Soft Diffusion's form of DDIM with a fixed amount of fresh noise (Daras et al. 2022, Eq. 52): k is absolute, and is
/// reduced to sigma_s if less noise is left than k. For k > 0 it does not keep the marginals.
struct soft_ddim : one_evaluation<soft_ddim> {
  double k{0.0};

  soft_ddim() = default;
  /// Throws `error` if k is negative.
  explicit soft_ddim(double fresh) : k{fresh} { require(k >= 0.0, "k", k, "at least 0"); }

  template <class C>
  step_weights weights(const C& c, const step_at& at) const {
    const double sigma_s = c.sigma(at.s);
    return detail::marginal_weights(c.sigma(at.t), sigma_s, (std::min)(k, sigma_s));
  }
};
static_assert(Sampler<soft_ddim, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
