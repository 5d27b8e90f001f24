#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <softscore/backend/tbb/simd.hpp>

namespace softscore::detail {

// exp(x) for x <= 0, to 2 units in the last place; below -87 it stays at exp(-87) = 1.6e-38.
template <std::size_t W>
SOFTSCORE_INLINE simd<W> exp_of_negative(simd<W> x) {
  x = x < -87.0f ? broadcast<W>(-87.0f) : x;
  // x = n log 2 + r: adding 1.5 * 2^23 leaves no room for a fraction, so it rounds to the integer n.
  const simd<W> shifted = x * 1.44269504f + 12582912.0f;
  const simd<W> n = shifted - 12582912.0f;
  simd<W> r = x - n * 0.693145752f;  // log 2 in two parts; the first has few bits, so its product is exact
  r = r - n * 1.42860677e-6f;
  // The series up to r^7; |r| <= 0.347, so the next term is below 6e-9.
  simd<W> p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // 2^n by its bits: n sits in the low bits of `shifted`, above the bits of 1.5 * 2^23, which are 0x4B400000.
  simd_int<W> bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits - (0x4B400000 - 127)) << 23;
  simd<W> power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
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
  const simd<W> a = z < 0.0f ? -z : z;
  const simd<W> bell = exp_of_negative<W>(z * z * -0.5f);
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
