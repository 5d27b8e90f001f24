#pragma once

#include <cstddef>
#include <type_traits>

#include <softscore/backend/activation.hpp>
#include <softscore/backend/tbb/gelu_simd.hpp>
#include <softscore/backend/tbb/lanes.hpp>
#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// exp(x) within 2 roundings for |x| <= 87, and exp(-87) or exp(87) beyond, where SiLU and its slope have reached their
// limits. exp(x) = 2^n exp(r) with n the nearest integer to x / log 2. The polynomial interpolates (exp(r) - 1 - r) /
// r^2 at Chebyshev's nodes, within 0.15 of a rounding of exp(r).
template <std::size_t W>
SOFTSCORE_INLINE simd<W> exponential(simd<W> x) {
  // Adding it leaves the nearest integer in the lowest bits; n times the first part of log 2 is exact.
  constexpr float rounder = 12582912.0f, first = 0.693359375f, rest = -2.12194440e-4f;
  x = x > 87.0f ? broadcast<W>(87.0f) : x;
  x = x < -87.0f ? broadcast<W>(-87.0f) : x;  // a NaN stays NaN
  const simd<W> shifted = x * 1.44269504f + rounder, n = shifted - rounder;
  const simd<W> r = (x - n * first) - n * rest;
  simd<W> sum = r * 0.00135233405f + 0.00836323295f;
  sum = sum * r + 0.0416726172f;
  sum = sum * r + 0.166665763f;
  sum = sum * r + 0.499999821f;
  sum = sum * (r * r) + r + 1.0f;
  return same_bits<simd<W>>(same_bits<simd_word<W>>(sum) + (same_bits<simd_word<W>>(shifted) << 23));
}

template <std::size_t W>
SOFTSCORE_INLINE simd<W> value_of(no_activation, simd<W> z) {
  return z;
}
template <std::size_t W>
SOFTSCORE_INLINE simd<W> slope_of(no_activation, simd<W>) {
  return broadcast<W>(1.0f);
}

// Within 4 roundings of the value.
template <std::size_t W>
SOFTSCORE_INLINE simd<W> value_of(silu, simd<W> z) {
  return z / (exponential<W>(-z) + 1.0f);
}
template <std::size_t W>
SOFTSCORE_INLINE simd<W> slope_of(silu, simd<W> z) {
  const simd<W> e = exponential<W>(-z), s = 1.0f / (e + 1.0f);
  return s * (z * (e * s) + 1.0f);
}

template <std::size_t W>
SOFTSCORE_INLINE simd<W> value_of(relu, simd<W> z) {
  return z < 0.0f ? simd<W>{} : z;
}
template <std::size_t W>
SOFTSCORE_INLINE simd<W> slope_of(relu, simd<W> z) {
  return z > 0.0f ? broadcast<W>(1.0f) : simd<W>{};
}

template <std::size_t W>
SOFTSCORE_INLINE simd<W> value_of(gelu, simd<W> z) {
  return gelu_value<W>(z);
}
template <std::size_t W>
SOFTSCORE_INLINE simd<W> slope_of(gelu, simd<W> z) {
  return gelu_slope<W>(z);
}

template <std::size_t W>
SOFTSCORE_INLINE simd<W> value_of(gelu_tanh, simd<W> z) {
  const simd<W> t = (z * z * 0.0713548162f + 1.59576912f) * z;
  return z / (exponential<W>(-t) + 1.0f);
}
template <std::size_t W>
SOFTSCORE_INLINE simd<W> slope_of(gelu_tanh, simd<W> z) {
  // Beyond 10 the slope is 0 or 1 to every digit, and the square would outgrow the exponential.
  z = z > 10.0f ? broadcast<W>(10.0f) : z;
  z = z < -10.0f ? broadcast<W>(-10.0f) : z;
  const simd<W> square = z * z, t = (square * 0.0713548162f + 1.59576912f) * z;
  const simd<W> e = exponential<W>(-t), s = 1.0f / (e + 1.0f);
  return s * (z * (e * s) * (square * 0.214064449f + 1.59576912f) + 1.0f);
}

/// An activation of every lane, and its slope: by vectors in float, by the scalar functions in double.
template <class T, std::size_t W, class Activation>
SOFTSCORE_INLINE lanes<T, W> activation_value(Activation of, lanes<T, W> z) {
  if constexpr (std::is_same_v<T, float>) {
    return value_of<W>(of, z);
  } else {
    T numbers[W];
    store_lanes(numbers, z);
    for (T& number : numbers) number = Activation::value(number);
    return load_lanes<T, W>(numbers);
  }
}
template <class T, std::size_t W, class Activation>
SOFTSCORE_INLINE lanes<T, W> activation_slope(Activation of, lanes<T, W> z) {
  if constexpr (std::is_same_v<T, float>) {
    return slope_of<W>(of, z);
  } else {
    T numbers[W];
    store_lanes(numbers, z);
    for (T& number : numbers) number = Activation::derivative(number);
    return load_lanes<T, W>(numbers);
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
