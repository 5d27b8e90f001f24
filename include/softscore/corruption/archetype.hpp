#pragma once

#include <softscore/core/config.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/operator/identity.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A corruption that consists of declarations only and offers everything a corruption may offer: a score and a scalar
/// signal. `static_assert`s use it to check denoisers, objectives and samplers.
struct archetype_corruption {
  using distribution = standard_normal;
  using operator_type = identity;
  const identity& linear_operator() const;
  level level_at(diffusion_time) const;
  template <class Be, Scalar T>
  void signal(Be&, per_image<diffusion_time>, in_of<Be, T>, out_of<Be, T>) const;
  template <class Be, Scalar T>
  void signal_adjoint(Be&, per_image<diffusion_time>, in_of<Be, T>, out_of<Be, T>) const;
  template <class Be, Scalar T>
  void corrupt(Be&, per_image<diffusion_time>, in_of<Be, T>, in_of<Be, T>, out_of<Be, T>) const;
  template <class Be, Scalar T>
  void draw_xi(Be&, noise_key, image_range, out_of<Be, T>) const;
  template <class Be, Scalar T>
  void start(Be&, diffusion_time, std::uint64_t, image_range, out_of<Be, T>, out_of<Be, T>) const;
  template <class Be, Scalar T>
  void signal_derivative(Be&, per_image<diffusion_time>, in_of<Be, T>, out_of<Be, T>) const;
  double sigma(diffusion_time) const;
  double sigma_rate(diffusion_time) const;
  double signal_gain(diffusion_time) const;
  double signal_gain_rate(diffusion_time) const;
};
static_assert(Corruption<archetype_corruption> && GaussianCorruption<archetype_corruption> &&
              DifferentiableSignal<archetype_corruption> && DifferentiableScalarSignal<archetype_corruption>);

/// The same with a background that the sampler knows instead of noise.
struct archetype_background_corruption : archetype_corruption {
  using distribution = fixed_background;
};
static_assert(Corruption<archetype_background_corruption> && BackgroundCorruption<archetype_background_corruption>);

}  // namespace softscore::inline SOFTSCORE_ABI
