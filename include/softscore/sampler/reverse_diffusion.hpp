#pragma once

#include <algorithm>
#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/archetype.hpp>
#include <softscore/sampler/one_evaluation.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The predictor of score-based diffusion, for C = a I (Song et al. 2021, Algorithms 2 and 3): x_s = (2 - g) x_t + v
/// score + sqrt(v) z, with g = a_t / a_s and v = sigma_t^2 - g^2 sigma_s^2, the noise added from s to t. Under VP g =
/// sqrt(1 - beta) and v = beta; under VE, where g = 1, it is `momentum`.
struct reverse_diffusion {
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true, needs_scalar_signal = true;

  template <class R>
  struct scratch {
    decltype(std::declval<R&>().make()) noise;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto& c = run.corruption();
    const double a_t = c.signal_gain(at.t), sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s);
    const double g = gain_ratio(c, at);
    const double added = (std::max)(0.0, (sigma_t - g * sigma_s) * (sigma_t + g * sigma_s));
    const double pull = added == 0.0 ? 0.0 : added / (sigma_t * sigma_t);
    run.normal(at, memory.noise.view());
    be.combine(x, term{2.0 - g - pull, x}, term{pull * a_t, h}, term{std::sqrt(added), memory.noise.view()});
  }
};
static_assert(Sampler<reverse_diffusion, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
