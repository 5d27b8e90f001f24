#pragma once

#include <algorithm>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// How the levels of a stage are spread between its ends.
enum class spacing { linear, geometric };

/// First noise, then corruption (Daras et al. 2022, Section 4 and Appendix F.1.1). Until time `stage` the noise rises
/// geometrically from `sigma_min` to `sigma_max` while the level stays 0; after it the noise is constant and the level
/// rises from `level_min` to `level_max`. The defaults are our own, for the blur on MNIST.
struct two_stage {
  double sigma_min{0.01}, sigma_max{0.1};
  double level_min{0.3}, level_max{14.0};
  double stage{0.15};
  spacing levels{spacing::geometric};

  /// Throws `error` if these values give no valid noise or level at some time.
  void check() const {
    require(std::isfinite(sigma_max), "sigma_max", sigma_max, "finite");
    require(sigma_min > 0.0 && sigma_min <= sigma_max, "sigma_min", sigma_min, "above 0 and at most sigma_max");
    require(stage > 0.0 && stage < 1.0, "stage", stage, "between 0 and 1");
    require(std::isfinite(level_max), "level_max", level_max, "finite");
    require(level_min >= 0.0 && level_min <= level_max, "level_min", level_min, "at least 0 and at most level_max");
    require(levels == spacing::linear || level_min > 0.0, "level_min", level_min,
            "above 0 where the levels are spaced geometrically");
  }

  level level_at(diffusion_time t) const {
    if (t.value <= stage) return level{0.0};
    const double done = (t.value - stage) / (1.0 - stage);
    return levels == spacing::linear ? level{level_min + done * (level_max - level_min)}
                                     : level{level_min * std::pow(level_max / level_min, done)};
  }
  double sigma_at(diffusion_time t) const {
    return t.value >= stage ? sigma_max : sigma_min * std::pow(sigma_max / sigma_min, t.value / stage);
  }
  /// Level and noise have a kink at time `stage`, and the level jumps there if `level_min` is not 0. At that time the
  /// rates are those of stage 1. A method of high order keeps its order if the grid contains that time.
  double level_rate_at(diffusion_time t) const {
    if (t.value <= stage) return 0.0;
    return levels == spacing::linear ? (level_max - level_min) / (1.0 - stage)
                                     : std::log(level_max / level_min) / (1.0 - stage) * level_at(t).value;
  }
  double sigma_rate_at(diffusion_time t) const {
    return t.value > stage ? 0.0 : std::log(sigma_max / sigma_min) / stage * sigma_at(t);
  }
};
static_assert(Schedule<two_stage>);

}  // namespace softscore::inline SOFTSCORE_ABI
