#pragma once

#include <cstddef>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// 2^x in every lane, for x up to 127, within a relative 1.2e-7 including roundings. Below -126 it is 0, so that a token
// whose score is far below the largest has no weight; a NaN stays NaN. x is an integer n plus a rest r of at most 1/2,
// and 2^r is approximated by the polynomial of degree 6 with the least relative error (2e-8 with rounded coefficients).
template <std::size_t W>
SOFTSCORE_INLINE simd<W> exp2_simd(simd<W> x) {
  constexpr float magic = 12582912.0f + 127.0f;  // 1.5 * 2^23: the sum has n + 127 in its lowest bits
  const simd<W> shifted = x + magic;
  const simd<W> r = x - (shifted - magic);
  simd<W> p = r * 1.5594678e-4f + 1.3406643e-3f;
  p = p * r + 9.6176928e-3f;
  p = p * r + 5.5503104e-2f;
  p = p * r + 2.4022652e-1f;
  p = p * r + 6.9314724e-1f;
  p = p * r + 1.0f;
  const simd<W> power = p * same_bits<simd<W>>(same_bits<simd_word<W>>(shifted) << 23);
  return x < -126.0f ? simd<W>{} : power;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
