#pragma once

#include <cstddef>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// GELU(z) = z P(z) and its slope P(z) + z p(z), where P and p are the distribution function and the density of a
// standard normal number. Both P and the slope are 1/2 plus an odd function, which reaches its limits, to float's
// precision, at |z| = 5.5 and 6. So each is one polynomial in z^2, without an exponential, a quotient or a table: the
// one whose product with z has the least error up to there. Its variable is s, z^2 scaled to [-1, 1], for which the
// coefficients decrease, and roundings with them.

// c[0] + c[1] s + c[2] s^2 + ...: the lowest Low terms by Horner's steps, each of which is small where the sum is, as
// signs alternate. The even and odd powers of the others are summed separately, so that fewer steps wait for each
// other.
template <std::size_t Low, std::size_t W, std::size_t N>
SOFTSCORE_INLINE simd<W> polynomial(simd<W> s, const float (&c)[N]) {
  static_assert((N - Low) % 2 == 0);
  const simd<W> square = s * s;
  simd<W> sum = broadcast<W>(c[N - 1]), other = broadcast<W>(c[N - 2]);
  unrolled<(N - Low) / 2 - 1>([&](auto i) SOFTSCORE_INLINE_LAMBDA {
    sum = sum * square + c[N - 3 - 2 * i];
    other = other * square + c[N - 4 - 2 * i];
  });
  sum = sum * s + other;
  unrolled<Low>([&](auto i) SOFTSCORE_INLINE_LAMBDA { sum = sum * s + c[Low - 1 - i]; });
  return sum;
}

// Within 1.8e-7 of z or of 1, whichever is larger, roundings included; beyond 5.5, 2e-8 |z|. Never of the wrong sign.
template <std::size_t W>
SOFTSCORE_INLINE simd<W> gelu_value(simd<W> z) {
  static constexpr float end = 5.5f * 5.5f;
  static constexpr float c[] = {0.12855193f,     -0.064172335f,    0.0477376282f,   -0.0387927853f,
                                0.0320702605f,   -0.0260482598f,   0.0203645676f,   -0.0149990786f,
                                0.0102278255f,   -0.0068199099f,   0.0046217842f,   -0.00241864985f,
                                0.000720103679f, -0.000529131852f, 0.000631559873f, -0.000236417764f};
  const simd<W> square = z * z;
  simd<W> probability = z * polynomial<4, W>(square * (2 / end) - 1.0f, c) + 0.5f;
  probability = probability < 0.0f ? simd<W>{} : probability;
  return square >= end ? (z < 0.0f ? simd<W>{} : z) : z * probability;
}

// Within 3.3e-7, roundings included; beyond 6, 4e-8.
template <std::size_t W>
SOFTSCORE_INLINE simd<W> gelu_slope(simd<W> z) {
  static constexpr float end = 6.0f * 6.0f;
  static constexpr float c[] = {0.117897764f,   -0.059342809f,  0.0460577197f,  -0.0423655324f, 0.0445554703f,
                                -0.0509363227f, 0.0586945675f,  -0.0643114224f, 0.0668660477f,  -0.0657541603f,
                                0.0544433743f,  -0.0363376215f, 0.0314051211f,  -0.0329674892f, 0.0160309616f,
                                0.00163021695f, 0.00188632333f, -0.0068904208f, 0.00277156103f};
  const simd<W> square = z * z;
  const simd<W> slope = z * polynomial<7, W>(square * (2 / end) - 1.0f, c) + 0.5f;
  return square >= end ? (z < 0.0f ? simd<W>{} : broadcast<W>(1.0f)) : slope;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
