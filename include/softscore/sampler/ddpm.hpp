#pragma once

#include <algorithm>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/corruption/ancestral_variance.hpp>
#include <softscore/sampler/one_evaluation.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// DDPM's ancestral sampler, for C = a I (Ho et al. 2020, Algorithm 2): c = sqrt(alpha) r and n^2 = beta or btilde,
/// with alpha = abar_t / abar_s and beta = 1 - alpha, so steps may skip indices.
struct ddpm : one_evaluation<ddpm> {
  static constexpr bool needs_scalar_signal = true;

  ancestral_variance variance{ancestral_variance::fixed_large};

  ddpm() = default;
  explicit ddpm(ancestral_variance which) : variance{which} {}

  template <class C>
  step_weights weights(const C& c, const step_at& at) const {
    const double sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s);
    const double ratio = noise_ratio(sigma_t, sigma_s), g = gain_ratio(c, at);
    // sigma_t^2 - g^2 sigma_s^2: 1 - alpha if a^2 + sigma^2 = 1, and in general the noise added from s to t.
    const double added = (std::max)(0.0, (sigma_t - g * sigma_s) * (sigma_t + g * sigma_s));
    return {g * ratio, std::sqrt(variance == ancestral_variance::fixed_large ? added : added * ratio)};
  }
};
static_assert(Sampler<ddpm, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
