#pragma once

#include <cstddef>

#include <softscore/backend/tbb/fft.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The two-dimensional transform of real planes of N x N numbers, W planes (channels) side by side in the lanes.
//
// A real plane has N * N / 2 + 2 independent frequencies ("bins"): all N of the columns 1 .. N/2 - 1 of the spectrum,
// and 0 .. N/2 of the columns 0 and N/2, which are transforms of real numbers. Two rows are transformed at once, as
// real and imaginary part of one complex row, and so are the columns 0 and N/2.
//
// The spectra here are TWICE the transform, and the inverse does not divide: callers need the inverse transform of a
// product of two spectra, and include 1 / (4 N^2) in one of the factors.
template <std::size_t N, std::size_t W>
class plane_fft {
 public:
  static constexpr std::size_t bins = N * N / 2 + 2;
  static constexpr std::size_t cache_line = 64;  // alignment of arrays on the stack
  static constexpr float scale = 1.0f / (4 * N * N);

  // A spectrum in memory: bin f is at data + f * stride, the W real parts before the W imaginary ones.
  struct spectrum {
    float* data;
    std::size_t stride;

    SOFTSCORE_INLINE simd_complex<W> get(std::size_t bin) const {
      const float* at = data + bin * stride;
      return {load<W>(at), load<W>(at + W)};
    }
    SOFTSCORE_INLINE void set(std::size_t bin, simd_complex<W> value) const {
      float* at = data + bin * stride;
      store(at, value.re);
      store(at + W, value.im);
    }
  };

  // A plane whose rows are transformed and whose columns are not: at[kx][row] is row `row` at frequency kx. Column 0
  // holds two real columns, kx = 0 in the real and kx = N/2 in the imaginary part. The extra row keeps the columns from
  // mapping to the same lines of the cache.
  struct half_way {
    simd_complex<W> at[N / 2][N + 1];
  };

  // Transforms rows `first` and `second` of the plane; number(n) returns their n-th numbers as real and imaginary part.
  // Frequencies k and N - k together are those of the two rows, so groups of them are processed in pairs, without
  // passing through memory.
  template <class Number>
  SOFTSCORE_INLINE static void forward_rows(half_way& work, std::size_t first, std::size_t second,
                                            const Number& number) {
    using split = split_fft<fft_sign::forward, N, W>;
    constexpr std::size_t inner = split::inner, outer = split::outer;
    const split half{number};
    // Frequency k < N / 2 and its mirror image.
    const auto part = [&](std::size_t k, simd_complex<W> u, simd_complex<W> v) SOFTSCORE_INLINE_LAMBDA {
      work.at[k][first] = {u.re + v.re, u.im - v.im};
      work.at[k][second] = {u.im + v.im, v.re - u.re};
    };
    simd_complex<W> x[outer], y[outer];
    half.group(0, x);  // its own mirror image, except for frequencies 0 and N / 2, which are real
    work.at[0][first] = {x[0].re, x[outer / 2].re};
    work.at[0][second] = {x[0].im, x[outer / 2].im};
    unrolled<outer / 2 - 1>([&](auto j) SOFTSCORE_INLINE_LAMBDA { part((j + 1) * inner, x[j + 1], x[outer - 1 - j]); });
    half.group(inner / 2, x);
    unrolled<outer / 2>([&](auto j) SOFTSCORE_INLINE_LAMBDA { part(inner / 2 + j * inner, x[j], x[outer - 1 - j]); });
#pragma GCC unroll 1
    for (std::size_t k = 1; k < inner / 2; ++k) {
      half.group(k, x);
      half.group(inner - k, y);
      unrolled<outer / 2>([&](auto j) SOFTSCORE_INLINE_LAMBDA {
        part(k + j * inner, x[j], y[outer - 1 - j]);
        part(inner - k + j * inner, y[j], x[outer - 1 - j]);
      });
    }
  }

  // Sets row `row` of the plane to 0.
  SOFTSCORE_INLINE static void clear_row(half_way& work, std::size_t row) {
    for (std::size_t kx = 0; kx < N / 2; ++kx) work.at[kx][row] = simd_complex<W>{};
  }

  // From the half-way state to the spectrum, if the rows from `rows` on are 0.
  SOFTSCORE_INLINE static void forward_columns(const half_way& work, std::size_t rows, const spectrum& out) {
    alignas(cache_line) float pair[2 * W * N];  // the spectrum of column 0, which holds two
    for (std::size_t kx = 0; kx < N / 2; ++kx) {
      const spectrum to = kx == 0 ? spectrum{pair, 2 * W} : spectrum{out.data + first_bin(kx) * out.stride, out.stride};
      fft<fft_sign::forward, N, W>(
          [&](std::size_t row) SOFTSCORE_INLINE_LAMBDA { return row < rows ? work.at[kx][row] : simd_complex<W>{}; },
          [&](std::size_t k, simd_complex<W> v) SOFTSCORE_INLINE_LAMBDA { to.set(k, v); });
    }
    for (std::size_t k = 0; k <= N / 2; ++k) {
      const simd_complex<W> u = spectrum{pair, 2 * W}.get(k), v = spectrum{pair, 2 * W}.get((N - k) % N);
      out.set(k, {u.re + v.re, u.im - v.im});
      out.set(N / 2 + 1 + k, {u.im + v.im, v.re - u.re});
    }
  }

  // From the spectrum back to the half-way state, for the rows below `rows`.
  SOFTSCORE_INLINE static void inverse_columns(const spectrum& in, std::size_t rows, half_way& work) {
    alignas(cache_line) float pair[2 * W * N];
    for (std::size_t k = 0; k < N; ++k) {
      const bool mirrored = k > N / 2;
      const std::size_t bin = mirrored ? N - k : k;
      const simd_complex<W> a = in.get(bin), b = in.get(N / 2 + 1 + bin);
      spectrum{pair, 2 * W}.set(
          k, mirrored ? simd_complex<W>{a.re + b.im, b.re - a.im} : simd_complex<W>{a.re - b.im, a.im + b.re});
    }
    for (std::size_t kx = 0; kx < N / 2; ++kx) {
      const spectrum from = kx == 0 ? spectrum{pair, 2 * W} : spectrum{in.data + first_bin(kx) * in.stride, in.stride};
      // Prefetches the next column, which is too far away for the hardware prefetcher.
      for (std::size_t k = 0; k < N; ++k) {
        const float* next = in.data + (first_bin(kx + 1) + k) * in.stride;
        __builtin_prefetch(next, 0, 2);
        __builtin_prefetch(next + W, 0, 2);
      }
      fft<fft_sign::inverse, N, W>([&](std::size_t k) SOFTSCORE_INLINE_LAMBDA { return from.get(k); },
                                   [&](std::size_t row, simd_complex<W> v) SOFTSCORE_INLINE_LAMBDA {
                                     if (row < rows) work.at[kx][row] = v;
                                   });
    }
  }

  // Rows `first` and `second` of the plane: put(n, numbers) receives their n-th numbers as real and imaginary part.
  template <class Put>
  SOFTSCORE_INLINE static void inverse_rows(const half_way& work, std::size_t first, std::size_t second,
                                            const Put& put) {
    fft<fft_sign::inverse, N, W>(
        [&](std::size_t k) SOFTSCORE_INLINE_LAMBDA {
          if (k % (N / 2) == 0) {
            const simd_complex<W> a = work.at[0][first], b = work.at[0][second];
            return k == 0 ? simd_complex<W>{a.re, b.re} : simd_complex<W>{a.im, b.im};
          }
          const simd_complex<W> a = work.at[k < N / 2 ? k : N - k][first], b = work.at[k < N / 2 ? k : N - k][second];
          return k < N / 2 ? simd_complex<W>{a.re - b.im, a.im + b.re} : simd_complex<W>{a.re + b.im, b.re - a.im};
        },
        put);
  }

 private:
  static constexpr std::size_t first_bin(std::size_t kx) { return N + 2 + (kx - 1) * N; }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
