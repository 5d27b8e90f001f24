#pragma once

#include <algorithm>
#include <cstdint>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A learning rate that grows linearly over the first `steps` steps and then stays constant (Daras et al. 2022,
/// Appendix D: 5000 steps).
struct linear_warmup {
  std::uint64_t steps{};

  /// The factor of the rate at step `number` (from 1 on): number / steps, and 1 from then on.
  double factor(std::uint64_t number) const {
    return steps == 0 ? 1.0 : (std::min)(1.0, static_cast<double>(number) / static_cast<double>(steps));
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
