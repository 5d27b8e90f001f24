#pragma once

#include <cstddef>
#include <numbers>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/gathered.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Blur by a camera that moves straight: the mean of 32 copies of the image, evenly spaced along a streak of w pixels
/// that is centered on the pixel. Each copy is read by bilinear interpolation, with zeros outside. Level w is the
/// length of the streak. The streak is symmetric, so C_w is its own adjoint; it loses mass at the edges. Bilinear
/// reading has kinks in w, so there is no derivative. The image is read 128 times per pixel; streaks above 32 pixels
/// show the copies.
struct motion_blur {
  double degrees{0.0};  // 0 along the rows, 90 along the columns
  static constexpr bool never_amplifies = true;
};

template <>
struct degradation<motion_blur> : gathered<degradation<motion_blur>> {
  template <class T>
  SOFTSCORE_HD static T apply_pixel(const motion_blur& op, level w, const shape& s, pixel p, const T* image) {
    const double turn = op.degrees * (std::numbers::pi / 180.0);
    const double down = w.value * std::sin(turn), across = w.value * std::cos(turn);
    const T* plane = image + p.channel * s.plane();
    const T own = plane[p.row * s.width + p.column];
    // Differences from the pixel itself: their sum is exactly 0 if the streak has no length.
    T sum{};
    for (int k = 0; k < copies; ++k) {
      const double along = (static_cast<double>(2 * k + 1) / copies - 1.0) * 0.5;
      sum += read(s, p, along * down, along * across, plane) - own;
    }
    return own + sum / static_cast<T>(copies);
  }
  template <class T>
  SOFTSCORE_HD static T adjoint_pixel(const motion_blur& op, level w, const shape& s, pixel p, const T* image) {
    return apply_pixel(op, w, s, p, image);
  }

 private:
  static constexpr int copies = 32;

  // The plane at p moved by a fractional number of pixels: a weighted mean of the four pixels around that position.
  template <class T>
  SOFTSCORE_HD static T read(const shape& s, pixel p, double down, double across, const T* plane) {
    const double top = std::floor(down), left = std::floor(across);
    const T lower = static_cast<T>(down - top), right = static_cast<T>(across - left);
    const auto row = static_cast<std::ptrdiff_t>(p.row) + static_cast<std::ptrdiff_t>(top);
    const auto column = static_cast<std::ptrdiff_t>(p.column) + static_cast<std::ptrdiff_t>(left);
    const auto at = [&](std::ptrdiff_t y, std::ptrdiff_t x) {
      return y >= 0 && x >= 0 && y < static_cast<std::ptrdiff_t>(s.height) && x < static_cast<std::ptrdiff_t>(s.width)
                 ? plane[y * static_cast<std::ptrdiff_t>(s.width) + x]
                 : T{};
    };
    return (T{1} - lower) * ((T{1} - right) * at(row, column) + right * at(row, column + 1)) +
           lower * ((T{1} - right) * at(row + 1, column) + right * at(row + 1, column + 1));
  }
};
static_assert(LinearOperator<motion_blur>);

}  // namespace softscore::inline SOFTSCORE_ABI
