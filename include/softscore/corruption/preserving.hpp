#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// sigma of a variance-preserving schedule from its level w = -log a: sigma^2 = 1 - a^2 = 1 - exp(-2 w).
inline double preserving_sigma(double w) { return std::sqrt(-std::expm1(-2.0 * w)); }
// Its rate from dw/dt: a^2 (dw/dt) / sigma; infinite where sigma is 0 and dw/dt is not.
inline double preserving_sigma_rate(double w, double level_rate) {
  const double square = std::exp(-2.0 * w);
  return square == 0.0 ? 0.0 : square * level_rate / preserving_sigma(w);
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
