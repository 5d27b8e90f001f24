#pragma once

#include <compare>

#include <softscore/core/config.hpp>

namespace softscore {  // shared

/// Time of the diffusion, from 0 (clean) to 1 (fully corrupted).
struct diffusion_time {
  double value{};
  SOFTSCORE_SHARED friend constexpr auto operator<=>(const diffusion_time&, const diffusion_time&) = default;
};

/// What a network is shown for a time under EDM's preconditioning: ln(sigma / a) / 4, see `edm_denoiser`. It
/// is on a scale of its own, below 0 where the noise is weak.
struct c_noise {
  double value{};
  SOFTSCORE_SHARED friend constexpr auto operator<=>(const c_noise&, const c_noise&) = default;
};

/// How far an operator family has gone: 0 is the identity, and damage grows with it. The unit is the family's own (a
/// blur's standard deviation in pixels, the rows and columns a mask takes away, -log of a gain).
struct level {
  double value{};
  SOFTSCORE_SHARED friend constexpr auto operator<=>(const level&, const level&) = default;
};

}  // namespace softscore
