#pragma once

#include <softscore/core/config.hpp>
#include <softscore/denoiser/pixel_range.hpp>
#include <softscore/sampler/ddim.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// DDIM with the step of diffusers' DDIMScheduler with `clip_sample`: the estimate of the clean image is clipped to the
/// range of pixels, and the noise that the network predicted is kept unchanged. x_s = C_s clip(h) + keep (x_t - C_t h)
/// + add z with the weights of `ddim`; the last step returns clip(h). `ddim` of a `static_thresholding` denoiser takes
/// the noise from the clipped estimate instead (`use_clipped_model_output` in diffusers).
struct clipped_ddim {
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true, handles_last_step = true;

  ddim unclipped{};
  pixel_range range{};

  clipped_ddim() = default;
  /// Throws `error` unless 0 <= eta <= 1, and for an empty range.
  explicit clipped_ddim(double eta, pixel_range pixels = {}) : unclipped{eta}, range{pixels} { range.check(); }

  template <class R>
  struct scratch {
    decltype(std::declval<R&>().make()) clipped, signal, noise;
  };
  template <class R>
  scratch<R> start(R& run) const {
    return {run.make(), run.make(), run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto clipped = memory.clipped.view(), signal = memory.signal.view();
    be.for_each(detail::clip_to_range{range}, clipped, h);
    if (at.last()) {
      be.combine(x, term{1.0, clipped});
      return;
    }
    const auto [keep, add] = unclipped.weights(run.corruption(), at);
    detail::require_weight<typename R::value_type>(at, keep);
    detail::require_weight<typename R::value_type>(at, add);
    run.signal(at.t, h, signal);
    be.combine(x, term{keep, x}, term{-keep, signal});
    run.signal(at.s, clipped, signal);
    if (add != 0.0)
      run.combine_with_normal(at, add, memory.noise.view(), x, term{1.0, x}, term{1.0, signal});
    else
      be.combine(x, term{1.0, x}, term{1.0, signal});
  }
};
static_assert(Sampler<clipped_ddim, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
