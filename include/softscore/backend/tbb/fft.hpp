#pragma once

#include <cstddef>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/backend/tbb/twiddles.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Discrete Fourier transforms of 4, 8, 16, 32 and 64 complex numbers, W of them in the lanes.

template <std::size_t W>
struct simd_complex {
  simd<W> re, im;

  SOFTSCORE_INLINE friend simd_complex operator+(simd_complex a, simd_complex b) { return {a.re + b.re, a.im + b.im}; }
  SOFTSCORE_INLINE friend simd_complex operator-(simd_complex a, simd_complex b) { return {a.re - b.re, a.im - b.im}; }
};

// a times exp(sign * 2 pi i k / n).
template <fft_sign Sign, std::size_t K, std::size_t N, std::size_t W>
SOFTSCORE_INLINE simd_complex<W> turned(simd_complex<W> a) {
  if constexpr (K % N == 0) {
    return a;
  } else if constexpr (4 * K == N) {
    if constexpr (Sign == fft_sign::forward)
      return {a.im, -a.re};
    else
      return {-a.im, a.re};
  } else if constexpr (8 * K == N || 8 * K == 3 * N) {
    // Cosine and sine have the same magnitude here, so two products are enough.
    const simd<W> sum = (a.re + a.im) * root_of_half, difference = (a.re - a.im) * root_of_half;
    if constexpr (8 * K == N && Sign == fft_sign::forward) return {sum, -difference};
    if constexpr (8 * K == N && Sign == fft_sign::inverse) return {difference, sum};
    if constexpr (8 * K != N && Sign == fft_sign::forward) return {-difference, -sum};
    if constexpr (8 * K != N && Sign == fft_sign::inverse) return {-sum, difference};
  } else {
    constexpr root_of_unity root{Sign, K, N};
    return {a.re * root.cosine - a.im * root.sine, a.im * root.cosine + a.re * root.sine};
  }
}

// In place, natural order in and out.
template <fft_sign Sign, std::size_t W>
SOFTSCORE_INLINE void dft4(simd_complex<W>* x) {
  const auto even = x[0] + x[2], odd = x[1] + x[3], low = x[0] - x[2];
  const auto high = turned<Sign, 1, 4>(x[1] - x[3]);
  x[0] = even + odd;
  x[1] = low + high;
  x[2] = even - odd;
  x[3] = low - high;
}

template <fft_sign Sign, std::size_t W>
SOFTSCORE_INLINE void dft8(simd_complex<W>* x) {
  simd_complex<W> even[4] = {x[0], x[2], x[4], x[6]}, odd[4] = {x[1], x[3], x[5], x[7]};
  dft4<Sign>(even);
  dft4<Sign>(odd);
  unrolled<4>([&](auto k) SOFTSCORE_INLINE_LAMBDA {
    const auto high = turned<Sign, k, 8>(odd[k]);
    x[k] = even[k] + high;
    x[k + 4] = even[k] - high;
  });
}

template <std::size_t Size, fft_sign Sign, std::size_t W>
SOFTSCORE_INLINE void dft(simd_complex<W>* x) {
  if constexpr (Size == 4)
    dft4<Sign>(x);
  else
    dft8<Sign>(x);
}

// Cooley and Tukey's split of N = inner * outer: `outer` transforms of every outer-th number, twiddles, then `inner`
// transforms across, each of which gives a group of frequencies. The short transforms are unrolled into registers; the
// loops around them are not, which keeps the code small.
template <fft_sign Sign, std::size_t N, std::size_t W>
struct split_fft {
  using table = twiddle_table<Sign, N>;
  static constexpr std::size_t inner = table::inner, outer = table::outer;
  simd_complex<W> middle[N];  // [inner][outer]

  // The first stage; number(n) returns number n.
  template <class Number>
  SOFTSCORE_INLINE explicit split_fft(const Number& number) {
    constexpr const table& roots = twiddles<Sign, N>;
#pragma GCC unroll 1
    for (std::size_t j = 0; j < outer; ++j) {
      simd_complex<W> x[inner];
      unrolled<inner>([&](auto i) SOFTSCORE_INLINE_LAMBDA { x[i] = number(i * outer + j); });
      dft<inner, Sign>(x);
      middle[j] = x[0];
      unrolled<inner - 1>([&](auto i) SOFTSCORE_INLINE_LAMBDA {
        constexpr std::size_t k = i + 1;
        const float c = roots.cosine[j][k], s = roots.sine[j][k];
        middle[k * outer + j] = {x[k].re * c - x[k].im * s, x[k].im * c + x[k].re * s};
      });
    }
  }

  // Group k: frequencies k, k + inner, k + 2 inner, ...
  SOFTSCORE_INLINE void group(std::size_t k, simd_complex<W> (&x)[outer]) const {
    unrolled<outer>([&](auto j) SOFTSCORE_INLINE_LAMBDA { x[j] = middle[k * outer + j]; });
    dft<outer, Sign>(x);
  }
};

// The whole transform: number(n) returns number n, frequency(k, value) receives frequency k.
template <fft_sign Sign, std::size_t N, std::size_t W, class Number, class Frequency>
SOFTSCORE_INLINE void fft(const Number& number, const Frequency& frequency) {
  using split = split_fft<Sign, N, W>;
  const split half{number};
#pragma GCC unroll 1
  for (std::size_t k = 0; k < split::inner; ++k) {
    simd_complex<W> x[split::outer];
    half.group(k, x);
    unrolled<split::outer>([&](auto j) SOFTSCORE_INLINE_LAMBDA { frequency(k + j * split::inner, x[j]); });
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
