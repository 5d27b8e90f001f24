#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/sampler/flow_slope.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The Euler-Maruyama method on the reverse SDE, in time (Galerne 2024): x_s = x_t + (s - t)(slope of the probability
/// flow - g^2 score / 2) + g sqrt(t - s) z. g^2 = d sigma^2 / dt - 2 (a'/a) sigma^2 if the signal is a number a times
/// the image, as in the SDEs of the field, and d sigma^2 / dt otherwise (Daras et al. 2022, Eq. 13). If C_t and
/// sigma_t^2 are linear in time and C = I it equals `momentum`, which takes the differences themselves.
struct euler_maruyama {
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true, needs_derivative = true;
  /// Its stochastic part follows a'_t / a_t, which has no value where no signal is left.
  static constexpr bool divides_by_gain = true;

  template <class R>
  struct scratch {
    detail::flow_slope<R> slope;
    decltype(std::declval<R&>().make()) flow, noise, now;
  };

  /// Throws `error` if the noise that the SDE adds per unit of time is not finite.
  template <class R>
  scratch<R> start(R& run) const {
    run.each_step([&](const step_at& at) {
      const double added = at.last() ? 0.0 : growth_at(run.corruption(), at.t);
      require(std::isfinite(added), "growth of the noise's variance at a time of the grid", added, "finite");
    });
    return {detail::flow_slope<R>{run}, run.make(), run.make(), run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto& c = run.corruption();
    const double sigma = c.sigma(at.t), length = at.t.value - at.s.value;
    const double growth = growth_at(c, at.t);
    const auto flow = memory.flow.view(), noise = memory.noise.view(), now = memory.now.view();
    memory.slope(run, at.t, x, h, flow);
    run.signal(at.t, h, now);
    run.normal(at, noise);
    // The residual x - C_t h is -sigma^2 times the score.
    const double residual = growth == 0.0 ? 0.0 : -0.5 * length * growth / (sigma * sigma);
    be.combine(flow, term{-length, flow}, term{-residual, now}, term{std::sqrt(growth * length), noise});
    be.combine(x, term{1.0 + residual, x}, term{1.0, flow});
  }

 private:
  // g^2; rounding must not make it negative.
  template <class C>
  static double growth_at(const C& c, diffusion_time t) {
    const double sigma = c.sigma(t);
    double growth = 2.0 * sigma * c.sigma_rate(t);
    if constexpr (DifferentiableScalarSignal<C>)
      growth -= 2.0 * c.signal_gain_rate(t) / c.signal_gain(t) * sigma * sigma;
    return growth < 0.0 ? 0.0 : growth;
  }
};
static_assert(Sampler<euler_maruyama, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
