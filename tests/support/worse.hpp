#pragma once

#include <limits>

/// The greater of the largest distance so far and another one. A NaN counts as infinitely far, so that no later
/// distance replaces it.
constexpr double worse(double most, double distance) {
  if (distance <= most) return most;
  return distance > most ? distance : std::numeric_limits<double>::infinity();
}
static_assert(worse(1, 2) == 2 && worse(2, 1) == 2);
#if !defined(__CUDACC__)  // for which a comparison with a NaN is no constant
static_assert(worse(worse(1, std::numeric_limits<double>::quiet_NaN()), 2) == std::numeric_limits<double>::infinity());
#endif
