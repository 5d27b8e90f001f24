#pragma once

#include <compare>

#include <softscore/core/config.hpp>

namespace softscore {

/// Time of the diffusion, from 0 (clean) to 1 (fully corrupted).
struct diffusion_time {
  double value{};
  friend constexpr auto operator<=>(const diffusion_time&, const diffusion_time&) = default;
};

/// How far an operator family has gone: 0 is the identity, and damage grows with it. The unit is the family's own (a
/// blur's standard deviation in pixels, the rows and columns a mask takes away, -log of a gain).
struct level {
  double value{};
  friend constexpr auto operator<=>(const level&, const level&) = default;
};

}  // namespace softscore
