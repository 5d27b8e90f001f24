#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <softscore/backend/tbb/simd.hpp>

namespace softscore::detail {

// 2^x for x <= 0, to 2 units in the last place; below -126 it stays at 2^-126.
template <std::size_t W>
SOFTSCORE_INLINE simd<W> exp2_of_negative(simd<W> x) {
  x = x < -126.0f ? broadcast<W>(-126.0f) : x;
  // x = n + f: adding 1.5 * 2^23 leaves no room for a fraction, so it rounds to the integer n.
  const simd<W> shifted = x + 12582912.0f;
  const simd<W> f = x - (shifted - 12582912.0f);
  // The polynomial of degree 6 that is nearest to 2^f in relative error for |f| <= 1/2: 2e-9, and 1.6e-8 with its
  // coefficients in float.
  simd<W> p = f * 0.00015345812f + 0.0013399931f;
  p = p * f + 0.009618489f;
  p = p * f + 0.055503286f;
  p = p * f + 0.24022646f;
  p = p * f + 0.6931472f;
  p = p * f + 1.0f;
  // 2^n by its bits: n sits in the low bits of `shifted`, above the bits of 1.5 * 2^23, which are 0x4B400000. Adding n
  // to the exponent of p multiplies by it.
  const simd_word<W> power = (same_bits<simd_word<W>>(shifted) - 0x4B400000u) << 23;
  return same_bits<simd<W>>(same_bits<simd_word<W>>(p) + power);
}

// P(Z <= z) and the density at z, for a standard normal Z.
template <std::size_t W>
struct normal_law {
  simd<W> probability, density;
};

// P(Z <= -a) = exp(-a^2 / 2) q(t), t = 1 / (1 + 0.26 a), where q is the polynomial without constant term of degree 9
// that is nearest in relative error for 0 <= a <= 14: 2.5e-8, and 4.1e-8 with its coefficients in float.
template <std::size_t W>
SOFTSCORE_INLINE normal_law<W> normal_law_of(simd<W> z) {
  const simd_word<W> sign = same_bits<simd_word<W>>(z) & 0x80000000u;
  const simd<W> a = same_bits<simd<W>>(same_bits<simd_word<W>>(z) ^ sign);
  const simd<W> bell = exp2_of_negative<W>(z * (z * -0.721347520f));  // half of log2 e
  const simd<W> t = 1.0f / (a * 0.26f + 1.0f);
  simd<W> q = t * 0.0305047613f - 0.152828276f;
  q = q * t + 0.251490235f;
  q = q * t - 0.150947854f;
  q = q * t + 0.160947159f;
  q = q * t + 0.0510279499f;
  q = q * t + 0.10303019f;
  q = q * t + 0.103016756f;
  q = q * t + 0.103759058f;
  const simd<W> tail = q * t * bell;
  return {z < 0.0f ? tail : 1.0f - tail, bell * 0.398942280f};
}

template <std::size_t W>
SOFTSCORE_INLINE simd<W> gelu_value(simd<W> z) {
  return z * normal_law_of<W>(z).probability;
}

template <std::size_t W>
SOFTSCORE_INLINE simd<W> gelu_slope(simd<W> z) {
  const normal_law<W> law = normal_law_of<W>(z);
  return law.probability + z * law.density;
}

}  // namespace softscore::detail
