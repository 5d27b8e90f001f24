#pragma once

#include <cstddef>
#include <numbers>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/spectral.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Gaussian blur of an image that repeats periodically beyond its edges, in the real form of the discrete Fourier
/// transform. A wave with i periods along the height and j along the width is multiplied by exp(-w^2 ((2 pi i /
/// height)^2 + (2 pi j / width)^2) / 2) (textbook). Level w is the standard deviation in pixels. The mean of an image
/// never changes, and two successive blurs are exactly one: their squares add up.
struct fft_blur {
  static constexpr bool never_amplifies = true;
};

template <>
struct degradation<fft_blur> : spectral<degradation<fft_blur>> {
  /// The constant, then cosine and sine of one period, of two, and so on; if n is even, the last one alternates.
  SOFTSCORE_HD static double mode(std::size_t n, std::size_t i, std::size_t k) {
    const auto count = static_cast<double>(n);
    const double turn = 2.0 * std::numbers::pi * static_cast<double>(periods(k) * i % n) / count;
    const bool alone = k == 0 || (n % 2 == 0 && k + 1 == n);
    return std::sqrt((alone ? 1.0 : 2.0) / count) * (k % 2 == 1 || k == 0 ? std::cos(turn) : std::sin(turn));
  }
  SOFTSCORE_HD static double mode_gain(const fft_blur&, level w, const shape& s, pixel p) {
    return std::exp(-0.5 * w.value * w.value * frequency(s, p));
  }
  SOFTSCORE_HD static double mode_gain_derivative(const fft_blur& op, level w, const shape& s, pixel p) {
    return -w.value * frequency(s, p) * mode_gain(op, w, s, p);
  }
  static level compose(const fft_blur&, level first, level second) {
    return level{std::hypot(first.value, second.value)};
  }

 private:
  SOFTSCORE_HD static std::size_t periods(std::size_t k) { return (k + 1) / 2; }
  // Of the mode, squared, in radians per pixel.
  SOFTSCORE_HD static double frequency(const shape& s, pixel p) {
    const double turn = 2.0 * std::numbers::pi;
    const double vertical = turn * static_cast<double>(periods(p.row)) / static_cast<double>(s.height);
    const double horizontal = turn * static_cast<double>(periods(p.column)) / static_cast<double>(s.width);
    return vertical * vertical + horizontal * horizontal;
  }
};
static_assert(LinearOperator<fft_blur> && DifferentiableInLevel<fft_blur> && ComposesLevels<fft_blur> &&
              HasSvd<fft_blur>);

}  // namespace softscore::inline SOFTSCORE_ABI
