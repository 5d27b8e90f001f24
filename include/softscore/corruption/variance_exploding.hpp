#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Noise that grows geometrically from `sigma_min` to `sigma_max` (Song et al. 2021; Daras et al. 2022, Section 4):
/// sigma_t = sigma_min (sigma_max / sigma_min)^t. The level grows linearly from 0 to `level_max`: 0 for noise alone,
/// more for a blur or a fade that grows with the noise.
struct variance_exploding {
  double sigma_min{0.01}, sigma_max{50.0}, level_max{0.0};

  /// Throws `error` if these values give no valid noise or level at some time.
  void check() const {
    require(std::isfinite(sigma_max), "sigma_max", sigma_max, "finite");
    require(sigma_min > 0.0 && sigma_min <= sigma_max, "sigma_min", sigma_min, "above 0 and at most sigma_max");
    require(level_max >= 0.0 && std::isfinite(level_max), "level_max", level_max, "at least 0 and finite");
  }

  level level_at(diffusion_time t) const { return level{level_max * t.value}; }
  double sigma_at(diffusion_time t) const { return sigma_min * std::pow(sigma_max / sigma_min, t.value); }
  double level_rate_at(diffusion_time) const { return level_max; }
  double sigma_rate_at(diffusion_time t) const { return std::log(sigma_max / sigma_min) * sigma_at(t); }
};
static_assert(Schedule<variance_exploding>);

}  // namespace softscore::inline SOFTSCORE_ABI
