#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/operator/gathered.hpp>
#include <softscore/operator/kronecker_svd.hpp>
#include <softscore/operator/level_range.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Removes the color of an image: every channel moves from its own value to the pixel's luminance, C_w = (1 - w) I + w
/// 1 l^T over the channels, with w from 0 to 1. l is 0.299, 0.587, 0.114 for red, green and blue (Rec. ITU-R BT.601),
/// and equal shares for any other number of channels. Gray does not change; a saturated color becomes lighter, so C_w
/// may amplify, by at most 1.16.
struct color_removal {};

template <>
struct degradation<color_removal> : gathered<degradation<color_removal>> {
  /// Throws `error` unless 0 <= level <= 1.
  static void check_level(const color_removal&, level w) { detail::require_share(w); }
  template <class T>
  SOFTSCORE_HD static T apply_pixel(const color_removal&, level w, const shape& s, pixel p, const T* image) {
    const T own = image[p.offset(s)];
    return own + static_cast<T>(w.value) * (luminance(s, p, image) - own);
  }
  template <class T>
  SOFTSCORE_HD static T adjoint_pixel(const color_removal&, level w, const shape& s, pixel p, const T* image) {
    const T own = image[p.offset(s)];
    T sum{};
    for (std::size_t c = 0; c < s.channels; ++c) sum += image[pixel{c, p.row, p.column}.offset(s)];
    return own + static_cast<T>(w.value) * (static_cast<T>(share(s, p.channel)) * sum - own);
  }
  template <class T>
  SOFTSCORE_HD static T derivative_pixel(const color_removal&, level, const shape& s, pixel p, const T* image) {
    return luminance(s, p, image) - image[p.offset(s)];
  }
  /// The shares of color that two levels leave are multiplied.
  static level compose(const color_removal&, level first, level second) {
    return level{1.0 - (1.0 - first.value) * (1.0 - second.value)};
  }
  template <class = when_called>
  static kronecker_svd svd(const color_removal&, level w, const shape& image) {
    const std::size_t n = image.channels;
    std::vector<double> matrix(n * n);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n; ++k)
        matrix[i * n + k] = (i == k ? 1.0 - w.value : 0.0) + w.value * share(image, k);
    return {image, kronecker_svd::axis{detail::decompose(n, matrix)}, {}, {}};
  }

 private:
  SOFTSCORE_HD static double share(const shape& s, std::size_t channel) {
    if (s.channels != 3) return 1.0 / static_cast<double>(s.channels);
    return channel == 0 ? 0.299 : channel == 1 ? 0.587 : 0.114;
  }
  template <class T>
  SOFTSCORE_HD static T luminance(const shape& s, pixel p, const T* image) {
    T sum{};
    for (std::size_t c = 0; c < s.channels; ++c)
      sum += static_cast<T>(share(s, c)) * image[pixel{c, p.row, p.column}.offset(s)];
    return sum;
  }
};
static_assert(LinearOperator<color_removal> && DifferentiableInLevel<color_removal> && ComposesLevels<color_removal> &&
              HasSvd<color_removal>);

}  // namespace softscore::inline SOFTSCORE_ABI
