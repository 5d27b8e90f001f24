#pragma once

#include <softscore/core/config.hpp>

namespace softscore {  // shared

/// An affine change of pixel values: out = gain x + offset. The default keeps [0, 1]; {1, -0.5} gives [-0.5, 0.5].
struct pixel_scale {
  float gain{1.0f};
  float offset{};

  SOFTSCORE_SHARED friend constexpr bool operator==(const pixel_scale&, const pixel_scale&) = default;
};

}  // namespace softscore
