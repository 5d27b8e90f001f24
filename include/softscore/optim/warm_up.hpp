#pragma once

#include <algorithm>
#include <cstdint>

namespace softscore {

/// A learning rate that grows linearly over the first `steps` steps and then stays (EQUATIONS T2: 5000 steps).
struct warm_up {
  std::uint64_t steps{};

  /// What step `number` (from 1 on) multiplies the rate by: number / steps, and 1 from then on.
  double factor(std::uint64_t number) const {
    return steps == 0 ? 1.0 : (std::min)(1.0, static_cast<double>(number) / static_cast<double>(steps));
  }
};

}  // namespace softscore
