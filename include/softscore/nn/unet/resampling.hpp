#pragma once

#include <array>
#include <cstddef>

#include <softscore/backend/operations.hpp>
#include <softscore/backend/resampling.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>

namespace softscore {  // shared

/// How a block changes the resolution by two: pixels repeated, means of 2 x 2, or the filter (1, 3, 3, 1) in
/// both directions.
enum class resampling { none, nearest, mean, fir_up, fir_down };

/// Whether it makes planes larger.
SOFTSCORE_SHARED constexpr bool enlarges(resampling how) {
  return how == resampling::nearest || how == resampling::fir_up;
}
/// Whether it makes planes smaller.
SOFTSCORE_SHARED constexpr bool reduces(resampling how) {
  return how == resampling::mean || how == resampling::fir_down;
}
/// The shape of its result.
SOFTSCORE_SHARED constexpr shape resampled(resampling how, shape s) {
  if (enlarges(how)) return {s.images, s.channels, 2 * s.height, 2 * s.width};
  if (reduces(how)) return {s.images, s.channels, s.height / 2, s.width / 2};
  return s;
}

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// With gain 4 if zeros are inserted between the pixels.
inline fir_filter unet_filter(double gain) {
  static constexpr std::array<double, 4> taps{1, 3, 3, 1};
  return make_fir_filter(taps, gain);
}
}  // namespace detail

/// Stores y = x at the other resolution. `how` is not none.
template <class Be, class T>
void resample_forward(Be& be, resampling how, in_of<Be, T> x, out_of<Be, T> y) {
  switch (how) {
    case resampling::nearest:
      return upsample_nearest_forward<Be, T>(be, x, y);
    case resampling::mean:
      return downsample_mean_forward<Be, T>(be, x, y);
    case resampling::fir_up:
      return fir_upsample_forward<Be, T>(be, detail::unet_filter(4), x, y);
    default:
      return fir_downsample_forward<Be, T>(be, detail::unet_filter(1), x, y);
  }
}

/// Sets dx from dy.
template <class Be, class T>
void resample_backward(Be& be, resampling how, in_of<Be, T> dy, out_of<Be, T> dx) {
  switch (how) {
    case resampling::nearest:
      return upsample_nearest_backward<Be, T>(be, dy, dx);
    case resampling::mean:
      return downsample_mean_backward<Be, T>(be, dy, dx);
    case resampling::fir_up:
      return fir_upsample_backward<Be, T>(be, detail::unet_filter(4), dy, dx);
    default:
      return fir_downsample_backward<Be, T>(be, detail::unet_filter(1), dy, dx);
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
