#pragma once

#include <softscore/core/config.hpp>
#include <softscore/sampler/one_evaluation.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Corrupts the estimate again at every step (Daras et al. 2022, Algorithm 1). It does not keep the marginals for any
/// number of steps.
struct naive : one_evaluation<naive> {
  template <class C>
  step_weights weights(const C& c, const step_at& at) const {
    return {0.0, c.sigma(at.s)};
  }
};
static_assert(Sampler<naive, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
