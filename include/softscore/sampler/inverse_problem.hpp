#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/measurement.hpp>
#include <softscore/operator/observation.hpp>
#include <softscore/operator/regularized_inverse.hpp>
#include <softscore/sampler/one_evaluation.hpp>
#include <softscore/sampler/take_step.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A sampler that is a rule for two numbers (one_evaluation.hpp): methods for inverse problems step with it.
template <class S>
concept OneEvaluationRule = std::derived_from<S, one_evaluation<S>>;

namespace detail {

// What every method for inverse problems holds: y of the run's images, and y - A h.
template <class R>
struct measured_state {
  using array = decltype(std::declval<R&>().make());
  array y, rest;
};

template <class R>
measured_state<R> start_measured(R& run, const observation& y) {
  measured_state<R> state{run.make(), run.make()};
  y.put(run.on(), run.images(), state.y.view());
  return state;
}

// rest = y - A h
template <class R, class Op>
void compare(R& run, const measurement<Op>& how, view_in<R> h, measured_state<R>& state) {
  auto& be = run.on();
  how.template apply<typename R::backend, typename R::value_type>(be, h, state.rest.view());
  be.combine(state.rest.view(), term{1.0, state.y.view()}, term{-1.0, state.rest.view()});
}

// Whether no signal is left at t, or so little that the influence of x_t on an estimate underflows in type T.
template <class T, class C>
bool signal_is_gone(const C& corruption, diffusion_time t) {
  using limits = std::numeric_limits<T>;
  if constexpr (ScalarSignal<C>)
    return corruption.signal_gain(t) < static_cast<double>((limits::min)() / limits::epsilon());
  else
    return false;
}

// Whether the weight rho of an estimate against its measurement is so large that the estimate does not change.
template <class T>
bool outweighs_measurement(double rho) {
  return !(rho < std::sqrt(static_cast<double>((std::numeric_limits<T>::max)())));
}

// The change of the rule's step per unit of g, when g is added to the score at (x_t, t). By Tweedie's formula the
// estimate gains (sigma_t^2 / a_t) g, and x_s = a_s h + c (x_t - a_t h) + n z. If C_t is not a number times I, the
// score determines only C_t h, and the part of C_s h that C_t h does not show stays unchanged.
template <class C, class Rule>
double score_share(const C& corruption, const Rule& rule, const step_at& at) {
  const double sigma = corruption.sigma(at.t), keep = at.last() ? 0.0 : rule.weights(corruption, at).keep;
  double ratio = 1.0;
  if constexpr (ScalarSignal<C>)
    ratio = (at.last() ? 1.0 : corruption.signal_gain(at.s)) / corruption.signal_gain(at.t);
  return (ratio - keep) * sigma * sigma;
}

}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
