#pragma once

#include <algorithm>
#include <cstddef>
#include <numbers>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/sampler/archetype.hpp>
#include <softscore/sampler/half_log_snr.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// EDM's stochastic sampler, for C = a I (Karras et al. 2022, Algorithm 2): Heun's method in y = sigma / a on x / a.
/// Before the step, noise raises y to (1 + gamma) y with gamma = min(churn / steps, sqrt 2 - 1), wherever `churn_from`
/// <= y <= `churn_to`; the noise's deviation is multiplied by `noise`. Without churn it takes two evaluations per step
/// and one in the last. With churn it takes three, since the estimate at the raised time is computed again. y is never
/// raised above its value at time 1, so the step that starts there adds no noise. With churn 0, the default, the method
/// adds no noise and is of order 2.
struct edm_heun {
  static constexpr int order = 2, evaluations_per_step = 2;
  static constexpr bool needs_score = true, needs_scalar_signal = true;

  double churn{0.0}, churn_from{0.0}, churn_to{HUGE_VAL}, noise{1.0};

  edm_heun() = default;
  /// Throws `error` unless all numbers are at least 0 and `noise_factor` is finite.
  explicit edm_heun(double churned, double from = 0.0, double to = HUGE_VAL, double noise_factor = 1.0)
      : churn{churned}, churn_from{from}, churn_to{to}, noise{noise_factor} {
    require(churn >= 0.0, "churn", churn, "at least 0");
    require(churn_from >= 0.0, "churn_from", churn_from, "at least 0");
    require(churn_to >= churn_from, "churn_to", churn_to, "at least churn_from");
    require(noise >= 0.0 && std::isfinite(noise), "noise", noise, "at least 0 and finite");
  }

  template <class R>
  struct scratch {
    decltype(std::declval<R&>().make()) ahead, h_ahead, fresh;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {run.make(), run.make(), run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto& c = run.corruption();
    const double sigma_s = c.sigma(at.s), a_s = c.signal_gain(at.s);
    const diffusion_time from = raise(run, memory, at, x, h);
    const double sigma_t = c.sigma(from), a_t = c.signal_gain(from),
                 keep = sigma_s == sigma_t ? 1.0 : sigma_s / sigma_t;
    const auto ahead = memory.ahead.view(), h_ahead = memory.h_ahead.view();
    be.combine(ahead, term{a_s - keep * a_t, h}, term{keep, x});
    // Without signal at the start the slope is that of the noise alone; without noise at the end there is no slope.
    if (detail::is_jump<typename R::value_type>(detail::lambda_length(c, {at.index, at.count, from, at.s}))) {
      be.combine(x, term{1.0, ahead});
      return;
    }
    run.estimate(at.s, ahead, h_ahead);
    // Half of the slopes (x_t / a_t - h) / y_t and (x' / a_s - h') / y_s, times a_s (y_s - y_t).
    const double fall = 0.5 * a_s * (sigma_s / a_s - sigma_t / a_t);
    be.combine(x, term{a_s / a_t + fall / sigma_t, x}, term{-fall * a_t / sigma_t, h}, term{fall / sigma_s, ahead},
               term{-fall * a_s / sigma_s, h_ahead});
  }

 private:
  // Adds the churn's noise to x, computes h again, and returns the time that x and h now belong to.
  template <class R>
  diffusion_time raise(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    const auto& c = run.corruption();
    const double y = c.sigma(at.t) / c.signal_gain(at.t);
    const double gamma = (std::min)(churn / static_cast<double>(at.count), std::numbers::sqrt2 - 1.0);
    if (gamma == 0.0 || y < churn_from || y > churn_to || at.t.value == 1.0) return at.t;
    // Without noise, or with so little signal that squares overflow, there is nothing to raise.
    if (y == 0.0 || !std::isfinite(16.0 * y * y)) return at.t;
    const diffusion_time raised =
        detail::time_of_half_log_snr(c, -std::log((1.0 + gamma) * y), diffusion_time{1.0}, at.t);
    const double a = c.signal_gain(raised), higher = c.sigma(raised) / a;
    run.normal(at, memory.fresh.view());
    run.on().combine(x, term{a / c.signal_gain(at.t), x},
                     term{a * noise * std::sqrt((std::max)(0.0, (higher - y) * (higher + y))), memory.fresh.view()});
    run.estimate(raised, x, h);
    return raised;
  }
};
static_assert(Sampler<edm_heun, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
