#pragma once

#include <cmath>

#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>

namespace softscore {

/// A level that rises linearly from 0 to `level_max`, without noise: cold diffusion's severity (EQUATIONS F8, F9).
struct severity {
  double level_max{100.0};

  /// Throws `error` unless the level is finite and at least 0.
  void check() const {
    require(level_max >= 0.0 && std::isfinite(level_max), "level_max", level_max, "at least 0 and finite");
  }

  level level_at(diffusion_time t) const { return level{level_max * t.value}; }
};
static_assert(LevelSchedule<severity>);

}  // namespace softscore
