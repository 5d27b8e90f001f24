#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/flow_slope.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The Euler-Maruyama method on the reverse SDE, in time (Galerne 2024): x_s = x_t + (s - t)(slope of the probability
/// flow - g^2 score / 2) + g sqrt(t - s) z. g^2 = d sigma^2 / dt - 2 (a'/a) sigma^2 where the signal is a number a
/// times the image, as in the SDEs of the field, and d sigma^2 / dt elsewhere (Daras et al. 2022, Eq. 13). Where C_t
/// and sigma_t^2 are straight lines in time and C = I it is `momentum`, which takes the differences themselves.
struct euler_maruyama {
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true, needs_derivative = true;
  /// Its stochastic part follows a'_t / a_t, which has no value where nothing is left of the signal.
  static constexpr bool divides_by_gain = true;

  template <class R>
  struct scratch {
    detail::flow_slope<R> slope;
    decltype(std::declval<R&>().make()) flow, noise, now;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {detail::flow_slope<R>{run}, run.make(), run.make(), run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto& c = run.corruption();
    const double sigma = c.sigma(at.t), length = at.t.value - at.s.value;
    double growth = 2.0 * sigma * c.sigma_rate(at.t);
    if constexpr (DifferentiableScalarSignal<typename R::corruption_type>)
      growth -= 2.0 * c.signal_gain_rate(at.t) / c.signal_gain(at.t) * sigma * sigma;
    const auto flow = memory.flow.view(), noise = memory.noise.view(), now = memory.now.view();
    memory.slope(run, at.t, x, h, flow);
    run.signal(at.t, h, now);
    run.normal(at, noise);
    // The residual x - C_t h is -sigma^2 times the score.
    const double residual = growth == 0.0 ? 0.0 : -0.5 * length * growth / (sigma * sigma);
    be.combine(flow, term{-length, flow}, term{-residual, now}, term{std::sqrt(growth * length), noise});
    be.combine(x, term{1.0 + residual, x}, term{1.0, flow});
  }
};
static_assert(Sampler<euler_maruyama, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
