#pragma once

#include <cstddef>

#include <softscore/core/config.hpp>
#include <softscore/core/quantity.hpp>

namespace softscore {  // shared

/// One step of a sampler: from time `t` to the earlier time `s`.
struct step_at {
  std::size_t index{};  ///< 0 for the first step
  std::size_t count{};  ///< steps of the whole grid
  diffusion_time t{}, s{};

  /// True for the step that ends at time 0, where every sampler returns the estimate itself (docs/decisions/0006).
  SOFTSCORE_SHARED constexpr bool last() const { return s.value == 0.0; }
};

}  // namespace softscore
