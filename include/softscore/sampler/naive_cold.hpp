#pragma once

#include <softscore/core/config.hpp>
#include <softscore/sampler/archetype.hpp>
#include <softscore/sampler/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Cold diffusion's naive sampler: x_s = D(h, s), the estimate corrupted again with the image's own background (Bansal
/// et al. 2022, Algorithm 1). It trusts h completely, so each step loses what h misses. Even for D(x, t) = x + t u,
/// where `cold` is exact with any h, x_s has all of h's error. The last step returns h. Its counterpart under noise is
/// `naive`.
struct naive_cold {
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_background = true;

  struct nothing {};

  template <class R>
  nothing start(R&) const {
    return {};
  }

  template <class R>
  void step(R& run, nothing&, const step_at& at, view_in<R> x, view_in<R> h) const {
    run.corruption().corrupt(run.on(), per_image<diffusion_time>{at.s}, h, run.background(), x);
  }
};
static_assert(Sampler<naive_cold, archetype_background_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
