#pragma once

#include <cstddef>
#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/denoiser/archetype.hpp>
#include <softscore/denoiser/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Classifier-free guidance (Ho and Salimans 2022, Eq. 6): h = h_u + scale (h_c - h_u), from a denoiser that knows the
/// condition and one that does not. Noise, velocity and score are affine in h at fixed x_t, so the same line holds for
/// them. scale 0 is without the condition, 1 with it, and their w is scale - 1.
template <class Conditional, class Unconditional>
class classifier_free {
 public:
  static constexpr int evaluations = Conditional::evaluations + Unconditional::evaluations;

  /// Throws `error` for a scale that is not finite.
  classifier_free(Conditional conditional, Unconditional unconditional, double scale)
      : conditional_{std::move(conditional)}, unconditional_{std::move(unconditional)}, scale_{scale} {
    require(std::isfinite(scale_), "scale", scale_, "finite");
  }

  const Conditional& conditional() const { return conditional_; }
  const Unconditional& unconditional() const { return unconditional_; }
  double scale() const { return scale_; }

  /// Throws `error` at a time at which one of the two has no answer.
  void check(diffusion_time t) const {
    if constexpr (ChecksTimes<Conditional>) conditional_.check(t);
    if constexpr (ChecksTimes<Unconditional>) unconditional_.check(t);
  }
  /// The shape of one image.
  shape image() const
    requires requires(const Conditional d) { d.image(); }
  {
    return conditional_.image();
  }

  template <class OfConditional, class OfUnconditional, class Array>
  struct memory {
    OfConditional conditional;
    OfUnconditional unconditional;
    Array other;
  };

  template <class Be, class T>
  using memory_of = memory<workspace_of<Conditional, Be, T>, workspace_of<Unconditional, Be, T>, array_of<Be, T>>;

  template <Scalar T, class Be>
  memory_of<Be, T> workspace(Be& be, const shape& most) const {
    return {conditional_.template workspace<T>(be, most), unconditional_.template workspace<T>(be, most),
            be.template make<T>(most)};
  }

  template <class Be, Scalar T, class M>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, M& ws) const {
    const auto other = ws.other.view().images(0, out.extent().images);
    conditional_.estimate(be, q, x, out, ws.conditional);
    unconditional_.estimate(be, q, x, other, ws.unconditional);
    be.combine(out, term{scale_, out}, term{1.0 - scale_, other});
  }

  template <class Be, Scalar T, class M>
  void pullback(Be& be, const condition& q, in_of<Be, T> v, out_of<Be, T> out, M& ws) const
    requires PullsBack<Conditional, Be, T> && PullsBack<Unconditional, Be, T>
  {
    const auto other = ws.other.view().images(0, out.extent().images);
    conditional_.pullback(be, q, v, out, ws.conditional);
    unconditional_.pullback(be, q, v, other, ws.unconditional);
    be.combine(out, term{scale_, out}, term{1.0 - scale_, other});
  }

 private:
  Conditional conditional_;
  Unconditional unconditional_;
  double scale_;
};
static_assert(
    DifferentiableDenoiser<classifier_free<archetype_denoiser, archetype_denoiser>, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
