#pragma once

#include <softscore/core/config.hpp>
#include <softscore/sampler/runge_kutta.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The midpoint method on the probability-flow ODE, of order 2 (textbook): the slope in the middle of the step.
struct midpoint : runge_kutta<midpoint> {
  static constexpr int order = 2, evaluations_per_step = 2;
  static constexpr butcher_tableau<2> tableau{{0.0, 0.5}, {{{}, {0.5}}}, {0.0, 1.0}};
};
static_assert(Sampler<midpoint, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
