#pragma once

#include <softscore/corruption/concept.hpp>

namespace softscore {

/// A level that rises linearly from 0 to `level_max`, without noise: cold diffusion's severity (EQUATIONS F8, F9).
struct severity {
  double level_max{100.0};

  level level_at(diffusion_time t) const { return level{level_max * t.value}; }
};
static_assert(LevelSchedule<severity>);

}  // namespace softscore
