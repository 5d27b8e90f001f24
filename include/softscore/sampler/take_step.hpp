#pragma once

#include <softscore/core/config.hpp>
#include <softscore/sampler/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Takes one step of a sampler as `integrate` does, for samplers that also step by another one. In the step that ends
/// at time 0, x becomes h (docs/decisions/0006), unless the sampler handles that step itself.
template <class S, class R, class State>
void take_step(const S& sampler, R& run, State& state, const step_at& at, view_in<R> x, view_in<R> h) {
  if constexpr (!HandlesLastStep<S>) {
    if (at.last()) {
      run.on().combine(x, term{1.0, h});
      return;
    }
  }
  sampler.step(run, state, at, x, h);
}

}  // namespace softscore::inline SOFTSCORE_ABI
