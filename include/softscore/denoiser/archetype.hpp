#pragma once

#include <softscore/core/config.hpp>
#include <softscore/denoiser/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A denoiser that consists of declarations only and offers everything a denoiser may offer, including the pullback,
/// the density and the parameterization by a network's output. `static_assert`s use it to check samplers and
/// objectives.
struct archetype_denoiser {
  static constexpr int evaluations = 1;
  static constexpr prediction predicts = prediction::epsilon;
  struct memory {};
  template <Scalar T, class Be>
  memory workspace(Be&, shape) const;
  template <class Be, Scalar T>
  void estimate(Be&, const condition&, in_of<Be, T>, out_of<Be, T>, memory&) const;
  template <class Be, Scalar T>
  void pullback(Be&, const condition&, in_of<Be, T>, out_of<Be, T>, memory&) const;
  template <class Be, Scalar T>
  void from_output(Be&, per_image<diffusion_time>, in_of<Be, T>, in_of<Be, T>, out_of<Be, T>, memory&) const;
  template <class Be, Scalar T>
  void to_output(Be&, per_image<diffusion_time>, in_of<Be, T>, out_of<Be, T>, memory&) const;
  template <class Be, Scalar T>
  void log_density(Be&, const condition&, view_of<Be, const T>, double*, memory&) const;
  template <class Be, Scalar T>
  void variance_share(Be&, const condition&, out_of<Be, T>, memory&) const;
};
static_assert(KnowsDensity<archetype_denoiser, archetype_backend, float>);
static_assert(LearnsVariance<archetype_denoiser, archetype_backend, float>);
static_assert(ParameterizesOutput<archetype_denoiser, archetype_backend, float>);
static_assert(DifferentiableDenoiser<archetype_denoiser, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
