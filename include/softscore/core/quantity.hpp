#pragma once

#include <compare>

#include <softscore/core/config.hpp>

namespace softscore {  // shared

/// Time of the diffusion, from 0 (clean) to 1 (fully corrupted).
struct diffusion_time {
  double value{};
  SOFTSCORE_SHARED friend constexpr auto operator<=>(const diffusion_time&, const diffusion_time&) = default;
};

/// What a network receives instead of a time under EDM's preconditioning: ln(sigma / a) / 4, see `edm_denoiser`. It is
/// negative where the noise is weak.
struct c_noise {
  double value{};
  SOFTSCORE_SHARED friend constexpr auto operator<=>(const c_noise&, const c_noise&) = default;
};

/// The number of a step as diffusers counts them: a chain of T steps has the indices 0 (least noise) to T - 1. Time k /
/// T of the diffusion is index k - 1; networks also take numbers between two indices.
struct step_index {
  double value{};
  SOFTSCORE_SHARED friend constexpr auto operator<=>(const step_index&, const step_index&) = default;
};

/// log(a_t^2 / sigma_t^2), the logarithm of the signal-to-noise ratio.
struct log_snr {
  double value{};
  SOFTSCORE_SHARED friend constexpr auto operator<=>(const log_snr&, const log_snr&) = default;
};

/// sqrt(alpha_bar), the gain a_t of the signal under a variance-preserving corruption (Chen et al. 2021; SR3, Saharia
/// et al. 2021).
struct noise_level {
  double value{};
  SOFTSCORE_SHARED friend constexpr auto operator<=>(const noise_level&, const noise_level&) = default;
};

/// The standard deviation of the noise under a corruption that leaves the signal's scale unchanged (VE).
struct sigma {
  double value{};
  SOFTSCORE_SHARED friend constexpr auto operator<=>(const sigma&, const sigma&) = default;
};

/// How far an operator family has gone: 0 is the identity, and damage grows with it. Each family has its own unit (a
/// blur's standard deviation in pixels, the rows and columns that a mask removes, -log of a gain).
struct level {
  double value{};
  SOFTSCORE_SHARED friend constexpr auto operator<=>(const level&, const level&) = default;
};

}  // namespace softscore
