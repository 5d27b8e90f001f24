#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/two_stage.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Noise and corruption that rise together (Daras et al. 2022, Appendix F.1.1): sigma rises geometrically from
/// `sigma_min` to `sigma_max` while the level rises linearly or geometrically from `level_min` to `level_max`. The
/// paper prints the noise from 0.1 to 0.01, which is the direction of sampling.
struct simultaneous {
  double sigma_min{0.01}, sigma_max{0.1};
  double level_min{0.0}, level_max{14.0};
  spacing levels{spacing::linear};

  /// Throws `error` if these values give no valid noise or level at some time.
  void check() const {
    require(std::isfinite(sigma_max), "sigma_max", sigma_max, "finite");
    require(sigma_min > 0.0 && sigma_min <= sigma_max, "sigma_min", sigma_min, "above 0 and at most sigma_max");
    require(std::isfinite(level_max), "level_max", level_max, "finite");
    require(level_min >= 0.0 && level_min <= level_max, "level_min", level_min, "at least 0 and at most level_max");
    require(levels == spacing::linear || level_min > 0.0, "level_min", level_min,
            "above 0 where the levels are spaced geometrically");
  }

  level level_at(diffusion_time t) const {
    return levels == spacing::linear ? level{level_min + t.value * (level_max - level_min)}
                                     : level{level_min * std::pow(level_max / level_min, t.value)};
  }
  double sigma_at(diffusion_time t) const { return sigma_min * std::pow(sigma_max / sigma_min, t.value); }
  double level_rate_at(diffusion_time t) const {
    return levels == spacing::linear ? level_max - level_min : std::log(level_max / level_min) * level_at(t).value;
  }
  double sigma_rate_at(diffusion_time t) const { return std::log(sigma_max / sigma_min) * sigma_at(t); }
};
static_assert(Schedule<simultaneous>);

}  // namespace softscore::inline SOFTSCORE_ABI
