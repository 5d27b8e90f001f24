#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/archetype.hpp>
#include <softscore/sampler/half_log_snr.hpp>
#include <softscore/sampler/one_evaluation.hpp>
#include <softscore/sampler/probability_flow.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Heun's method on the probability-flow ODE, of order 2 (Galerne 2024): a `probability_flow` step to x', then the mean
/// of the increments at both ends. Two evaluations per step, one in the last.
struct heun {
  static constexpr int order = 2, evaluations_per_step = 2;
  static constexpr bool needs_score = true;

  template <class R>
  struct scratch {
    decltype(std::declval<R&>().make()) ahead, h_ahead, mean_h, now, next, now_ahead;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {run.make(), run.make(), run.make(), run.make(), run.make(), run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const double sigma_t = run.corruption().sigma(at.t), sigma_s = run.corruption().sigma(at.s);
    if (sigma_s == 0.0) {
      be.combine(x, term{1.0, h});
      return;
    }
    const auto ahead = memory.ahead.view(), h_ahead = memory.h_ahead.view(), mean_h = memory.mean_h.view();
    const auto now = memory.now.view(), next = memory.next.view(), now_ahead = memory.now_ahead.view();

    // x' = C_s h + c (x - C_t h)
    double keep = probability_flow{}.weights(run.corruption(), at).keep;
    run.signal(at.t, h, now);
    run.signal(at.s, h, next);
    // The slope at s would divide the rounding of x' by sigma_s^2; the remaining noise is a fraction of the noise at t.
    if (detail::is_jump<typename R::value_type>(2.0 * std::log(sigma_t / sigma_s))) {
      keep = sigma_s / sigma_t;
      be.combine(x, term{1.0, next}, term{keep, x}, term{-keep, now});
      return;
    }
    be.combine(ahead, term{1.0, next}, term{keep, x}, term{-keep, now});
    run.estimate(at.s, ahead, h_ahead);

    // x_s = x + (C_s - C_t) (h + h') / 2 + u_t (C_t h - x) + u_s (C_s h' - x'), with u = -(sigma_s^2 - sigma_t^2) /
    // (4 sigma^2): the noise leaves along the score.
    const double difference = (sigma_t - sigma_s) * (sigma_t + sigma_s);
    const double u_t = difference == 0.0 ? 0.0 : 0.25 * difference / (sigma_t * sigma_t);
    const double u_s = 0.25 * difference / (sigma_s * sigma_s);
    run.signal(at.s, h_ahead, now_ahead);
    be.combine(x, term{1.0 - u_t, x}, term{u_t, now}, term{u_s, now_ahead}, term{-u_s, ahead});
    be.combine(mean_h, term{0.5, h}, term{0.5, h_ahead});
    run.signal(at.t, mean_h, now);
    run.signal(at.s, mean_h, next);
    be.combine(x, term{1.0, x}, term{1.0, next}, term{-1.0, now});
  }
};
static_assert(Sampler<heun, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
