#pragma once

#include <cstddef>
#include <numbers>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/spectral.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Blur by the heat equation with reflecting edges, solved exactly in the cosine transform: mode (i, j) of a height x
/// width image is multiplied by exp(-w^2 ((pi i / height)^2 + (pi j / width)^2) / 2) (Rissanen et al. 2022). Level w is
/// the standard deviation in pixels. The mean of an image never changes, and two successive blurs are exactly one:
/// their squares add up.
struct dct_blur {
  static constexpr bool never_amplifies = true;
};

template <>
struct degradation<dct_blur> : spectral<degradation<dct_blur>> {
  SOFTSCORE_HD static double mode(std::size_t n, std::size_t i, std::size_t k) {
    const auto count = static_cast<double>(n);
    // The cosine repeats after 4 n half pixels.
    const auto turn = static_cast<double>(k * (2 * i + 1) % (4 * n));
    return std::sqrt((k == 0 ? 1.0 : 2.0) / count) * std::cos(std::numbers::pi * turn / (2.0 * count));
  }
  SOFTSCORE_HD static double mode_gain(const dct_blur&, level w, const shape& s, pixel p) {
    return std::exp(-0.5 * w.value * w.value * frequency(s, p));
  }
  SOFTSCORE_HD static double mode_gain_derivative(const dct_blur& op, level w, const shape& s, pixel p) {
    return -w.value * frequency(s, p) * mode_gain(op, w, s, p);
  }
  static level compose(const dct_blur&, level first, level second) {
    return level{std::hypot(first.value, second.value)};
  }

 private:
  // Of the mode, squared, in radians per pixel.
  SOFTSCORE_HD static double frequency(const shape& s, pixel p) {
    const double vertical = std::numbers::pi * static_cast<double>(p.row) / static_cast<double>(s.height);
    const double horizontal = std::numbers::pi * static_cast<double>(p.column) / static_cast<double>(s.width);
    return vertical * vertical + horizontal * horizontal;
  }
};
static_assert(LinearOperator<dct_blur> && DifferentiableInLevel<dct_blur> && ComposesLevels<dct_blur> &&
              HasSvd<dct_blur>);

}  // namespace softscore::inline SOFTSCORE_ABI
