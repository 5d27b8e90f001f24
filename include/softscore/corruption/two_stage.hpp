#pragma once

#include <algorithm>
#include <cmath>

#include <softscore/corruption/concept.hpp>

namespace softscore {

/// How the levels of a stage are spread between its ends.
enum class spacing { linear, geometric };

/// First noise, then corruption (EQUATIONS S4, D13; 001 s4, F.1.1). Up to time `stage` the noise rises geometrically
/// from `sigma_min` to `sigma_max` while the level stays 0; after it the noise stays and the level runs from
/// `level_min` to `level_max`. The defaults are the MNIST blur's.
struct two_stage {
  double sigma_min{0.01}, sigma_max{0.1};
  double level_min{0.3}, level_max{14.0};
  double stage{0.15};
  spacing levels{spacing::geometric};

  level level_at(diffusion_time t) const {
    if (t.value <= stage) return level{0.0};
    const double done = (t.value - stage) / (1.0 - stage);
    return levels == spacing::linear ? level{level_min + done * (level_max - level_min)}
                                     : level{level_min * std::pow(level_max / level_min, done)};
  }
  double sigma_at(diffusion_time t) const {
    return t.value >= stage ? sigma_max : sigma_min * std::pow(sigma_max / sigma_min, t.value / stage);
  }
};
static_assert(Schedule<two_stage>);

}  // namespace softscore
