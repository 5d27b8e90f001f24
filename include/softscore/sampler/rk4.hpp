#pragma once

#include <softscore/core/config.hpp>
#include <softscore/sampler/runge_kutta.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The classical Runge-Kutta method on the probability-flow ODE, of order 4 (textbook).
struct rk4 : runge_kutta<rk4> {
  static constexpr int order = 4, evaluations_per_step = 4;
  static constexpr butcher_tableau<4> tableau{
      {0.0, 0.5, 0.5, 1.0}, {{{}, {0.5}, {0.0, 0.5}, {0.0, 0.0, 1.0}}}, {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6}};
};
static_assert(Sampler<rk4, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
