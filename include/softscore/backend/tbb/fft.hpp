#pragma once

#include <cstddef>
#include <numbers>

#include <softscore/backend/tbb/simd.hpp>

namespace softscore::detail {

// Discrete Fourier transforms of 4, 8, 16, 32 and 64 complex numbers, W of them side by side in the lanes.

template <std::size_t W>
struct simd_complex {
  simd<W> re, im;

  SOFTSCORE_INLINE friend simd_complex operator+(simd_complex a, simd_complex b) { return {a.re + b.re, a.im + b.im}; }
  SOFTSCORE_INLINE friend simd_complex operator-(simd_complex a, simd_complex b) { return {a.re - b.re, a.im - b.im}; }
};

// The sign of the exponent.
enum class fft_sign { forward = -1, inverse = 1 };

// exp(sign * 2 pi i k / n) by its series, at compile time.
struct root_of_unity {
  float cosine, sine;

  constexpr root_of_unity(fft_sign sign, std::size_t k, std::size_t n) : cosine{}, sine{} {
    double turn = static_cast<double>(k % n) / static_cast<double>(n);
    if (turn > 0.5) turn -= 1;
    const double angle = 2 * std::numbers::pi * turn;
    double term = 1, c = 0, s = 0;
    for (int power = 0; power < 40; ++power) {
      (power % 2 == 0 ? c : s) += power % 4 < 2 ? term : -term;
      term *= angle / (power + 1);
    }
    cosine = static_cast<float>(c);
    sine = static_cast<float>(sign == fft_sign::forward ? -s : s);
  }
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
    // Cosine and sine have one magnitude here, so two products do.
    constexpr float half = 0.70710678118654752440f;
    const simd<W> sum = (a.re + a.im) * half, difference = (a.re - a.im) * half;
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

// exp(sign * 2 pi i j k / N) for the steps between the two stages below.
template <fft_sign Sign, std::size_t N>
struct twiddle_table {
  static constexpr std::size_t inner = N == 16 ? 4 : 8, outer = N / inner;
  float cosine[outer][inner], sine[outer][inner];

  constexpr twiddle_table() : cosine{}, sine{} {
    for (std::size_t j = 0; j < outer; ++j)
      for (std::size_t k = 0; k < inner; ++k) {
        const root_of_unity root{Sign, j * k, N};
        cosine[j][k] = root.cosine;
        sine[j][k] = root.sine;
      }
  }
};
template <fft_sign Sign, std::size_t N>
inline constexpr twiddle_table<Sign, N> twiddles{};

template <std::size_t Size, fft_sign Sign, std::size_t W>
SOFTSCORE_INLINE void dft(simd_complex<W>* x) {
  if constexpr (Size == 4)
    dft4<Sign>(x);
  else
    dft8<Sign>(x);
}

// Cooley and Tukey's split of N = inner * outer: `outer` transforms of every outer-th number, twiddles, then `inner`
// transforms across, each of which gives a group of frequencies. The short transforms are unrolled into registers, the
// loops around them are not, which keeps the code small.
template <fft_sign Sign, std::size_t N, std::size_t W>
struct split_fft {
  using table = twiddle_table<Sign, N>;
  static constexpr std::size_t inner = table::inner, outer = table::outer;
  simd_complex<W> middle[N];  // [inner][outer]

  // The first stage; number(n) gives number n.
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

// All of it: number(n) gives number n, frequency(k, value) takes frequency k.
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

}  // namespace softscore::detail
