#pragma once

#include <concepts>
#include <cstddef>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/step_at.hpp>
#include <softscore/sampler/needs.hpp>

namespace softscore {  // shared
class time_grid;
}

namespace softscore::inline SOFTSCORE_ABI {

// A sampler S steps inside a run R = sampling_run<Be, C, D, T> (sampling_run.hpp), which owns everything that changes.

template <class R>
using view_in = view_of<typename R::backend, typename R::value_type>;
template <class R>
using const_view_in = view_of<typename R::backend, const typename R::value_type>;

/// `divides_by_gain`: the sampler needs the derivative and divides it by the signal's gain, which must not be 0.
template <class S>
concept DividesByGain = requires { requires S::divides_by_gain; };

/// `s.start(run)` makes the state that the sampler carries from step to step, scratch arrays included.
template <class S, class R>
concept StartsState = requires(const S s, R& run) { s.start(run); };

template <class S, class R>
using state_of = decltype(std::declval<const S&>().start(std::declval<R&>()));

/// `s.step(run, state, at, x, h)` turns x_t in `x` into x_s; `h` is the estimate at (x_t, t), which `integrate` made.
template <class S, class R>
concept Steps = requires(const S s, R& run, state_of<S, R>& state, const step_at& at, view_in<R> x, view_in<R> h) {
  s.step(run, state, at, x, h);
};

/// `S::handles_last_step`: the sampler also takes the step that ends at time 0. Otherwise `integrate` takes that step,
/// which returns h. Optional.
template <class S>
concept HandlesLastStep = requires { requires S::handles_last_step; };

/// `s.check(grid)` throws for a grid that the method cannot follow; `integrate` calls it before the first step.
/// Optional.
template <class S>
concept ChecksGrid = requires(const S s, const time_grid& grid) { s.check(grid); };

/// `S::least_steps`: a grid of fewer steps would contain only the method's start, so `integrate` refuses it. Optional.
template <class S>
concept StatesLeastSteps = requires {
  { S::least_steps } -> std::convertible_to<std::size_t>;
};

/// `S::draws_per_step`: the largest number of numbered draws of noise in a step; one if not stated.
template <class S>
concept StatesDraws = requires {
  { S::draws_per_step } -> std::convertible_to<std::size_t>;
};

/// `S::order`: the order of the error in the number of steps; `S::evaluations_per_step`: estimates per step,
/// `integrate`'s included.
template <class S>
concept StatesOrder = requires {
  { S::order } -> std::convertible_to<int>;
  { S::evaluations_per_step } -> std::convertible_to<int>;
};

/// A const value that steps from time t to an earlier time s. Models: ddpm, ddim, momentum, heun, rk4, dpm_solver,
/// unipc and the others of docs/reference/samplers.md.
template <class S, class R>
concept Sampler = StatesOrder<S> && NeedsAreMet<S, R> && StartsState<S, R> && Steps<S, R>;

}  // namespace softscore::inline SOFTSCORE_ABI
