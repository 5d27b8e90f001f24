#pragma once

#include <softscore/core/config.hpp>
#include <softscore/sampler/runge_kutta.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Euler's method on the probability-flow ODE, in time (textbook): one slope per step. On a straight line between image
/// and noise, a = 1 - t and sigma = t, it is the Euler step of flow matching. It is then the same as `ddim`, which can
/// also start at time 1, where the slope of the level is infinite.
struct euler : runge_kutta<euler> {
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr butcher_tableau<1> tableau{{0.0}, {}, {1.0}};
};
static_assert(Sampler<euler, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
