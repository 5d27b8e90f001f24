#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/one_evaluation.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Soft Diffusion's momentum sampler: Euler-Maruyama on the reverse SDE (Daras et al. 2022, Algorithm 2).
struct momentum : one_evaluation<momentum> {
  template <class C>
  step_weights weights(const C& c, const step_at& at) const {
    const double sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s);
    return {noise_ratio(sigma_t, sigma_s), std::sqrt((sigma_t - sigma_s) * (sigma_t + sigma_s))};
  }
};
static_assert(Sampler<momentum, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
