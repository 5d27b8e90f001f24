#pragma once

#include <softscore/core/config.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/probability_flow.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Steps of `ddim` without noise alternate with steps of `probability_flow`, and `ddim` is first (Daras et al. 2022,
/// Appendix F.3, who call it a predictor-corrector). Whole steps alternate because a step of the flow at one level
/// would do nothing.
struct alternating : one_evaluation<alternating> {
  template <class C>
  step_weights weights(const C& c, const step_at& at) const {
    return at.index % 2 == 0 ? ddim{}.weights(c, at) : probability_flow{}.weights(c, at);
  }
};
static_assert(Sampler<alternating, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
