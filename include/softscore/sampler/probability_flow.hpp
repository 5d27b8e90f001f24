#pragma once

#include <softscore/core/config.hpp>
#include <softscore/sampler/one_evaluation.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Euler's method on the probability-flow ODE, in sigma^2 (Daras et al. 2022, Eq. 51). It adds no noise.
struct probability_flow : one_evaluation<probability_flow> {
  template <class C>
  step_weights weights(const C& c, const step_at& at) const {
    return {0.5 * (1.0 + noise_ratio(c.sigma(at.t), c.sigma(at.s))), 0.0};
  }
};
static_assert(Sampler<probability_flow, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
