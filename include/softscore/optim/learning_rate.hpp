#pragma once

#include <algorithm>
#include <cstdint>
#include <numbers>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/optim/linear_warmup.hpp>

namespace softscore {  // shared

/// What the learning rate does after its warm-up: it stays constant, or falls linearly or along half a cosine.
enum class rate_decay : std::uint8_t { constant, linear, cosine };

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// A learning rate that grows linearly until step `warmup.steps` and then stays constant, or falls to `end` times its
/// largest value at step `last`, where it stays. The cosine is that of Loshchilov and Hutter 2017, Eq. 5, without
/// restarts.
struct learning_rate_schedule {
  linear_warmup warmup{};
  rate_decay decay{rate_decay::constant};
  std::uint64_t last{};
  double end{};

  /// The factor of the rate at step `number` (from 1 on).
  double factor(std::uint64_t number) const {
    if (decay == rate_decay::constant || number <= warmup.steps) return warmup.factor(number);
    if (number >= last) return end;
    const double gone = static_cast<double>(number - warmup.steps) / static_cast<double>(last - warmup.steps);
    const double left = decay == rate_decay::linear ? 1.0 - gone : 0.5 * (1.0 + std::cos(std::numbers::pi * gone));
    return end + (1.0 - end) * left;
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
