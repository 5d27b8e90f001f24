#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/corruption/monotone.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A level that rises linearly from 0 to `level_max`, without noise: the severity of cold diffusion (Bansal et al.
/// 2022).
struct severity {
  double level_max{100.0};

  /// Throws `error` unless the level is finite and at least 0.
  void check() const {
    require(level_max >= 0.0 && std::isfinite(level_max), "level_max", level_max, "at least 0 and finite");
  }

  constexpr level level_at(diffusion_time t) const { return level{level_max * t.value}; }
};
static_assert(LevelSchedule<severity>);
static_assert(detail::falls_over_time([](diffusion_time t) { return -severity{}.level_at(t).value; }));
static_assert(severity{}.level_at(diffusion_time{0.0}).value == 0.0 &&
              severity{}.level_at(diffusion_time{1.0}).value == 100.0);

}  // namespace softscore::inline SOFTSCORE_ABI
