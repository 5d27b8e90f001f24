#pragma once

#include <softscore/core/config.hpp>
#include <softscore/sampler/archetype.hpp>
#include <softscore/sampler/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Cold diffusion's sampler: x_s = x_t - D(h, t) + D(h, s), where D corrupts without drawing anything (Bansal et al.
/// 2022, Algorithm 2; Daras et al. 2022, Eq. 18). If the corruption has a background, D uses the image's own. Otherwise
/// D is C_t h, and the noise in x_t stays unchanged. The last step returns h.
struct cold {
  static constexpr int order = 1, evaluations_per_step = 1;

  template <class R>
  struct scratch {
    decltype(std::declval<R&>().make()) now, next;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {run.make(), run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto now = memory.now.view(), next = memory.next.view();
    corrupt(run, at.t, h, now);
    corrupt(run, at.s, h, next);
    be.combine(x, term{1.0, x}, term{-1.0, now}, term{1.0, next});
  }

 private:
  template <class R>
  static void corrupt(R& run, diffusion_time t, view_in<R> h, view_in<R> out) {
    if constexpr (Meets<R, needs::background>)
      run.corruption().corrupt(run.on(), per_image<diffusion_time>{t}, h, run.background(), out);
    else
      run.signal(t, h, out);
  }
};
static_assert(Sampler<cold, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
