#pragma once

#include <cstddef>

#include <softscore/backend/tbb/fft.hpp>

namespace softscore::detail {

// The two-dimensional transform of real planes of N x N numbers, W planes (channels) side by side in the lanes.
//
// A real plane has N * N / 2 + 2 independent frequencies ("bins"): all N of the columns 1 .. N/2 - 1 of the spectrum,
// and 0 .. N/2 of the columns 0 and N/2, which are transforms of real numbers. Two rows are transformed at once, as
// real and imaginary part of one complex row, and so are the columns 0 and N/2.
//
// The spectra here are TWICE the transform, and the inverse does not divide: what is wanted is a product of two spectra
// transformed back, and then 1 / (4 N^2) is worked into one of the factors.
template <std::size_t N, std::size_t W>
class plane_fft {
 public:
  static constexpr std::size_t bins = N * N / 2 + 2;
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

  // The plane's rows half way: for each column kx of the spectrum, the transforms of the rows at kx. Column 0 holds two
  // real ones, kx = 0 in the real and kx = N/2 in the imaginary part.
  struct half_way {
    simd_complex<W> at[N / 2][N];  // [kx][row]
  };

  // Rows `first` and `second` of the plane; number(row, n) is their n-th number, 0 where the plane has none.
  template <class Numbers>
  SOFTSCORE_INLINE static void forward_rows(half_way& work, std::size_t first, std::size_t second,
                                            const Numbers& numbers) {
    simd_complex<W> z[N];
    fft<fft_sign::forward, N, W>(numbers, [&](auto k, simd_complex<W> v) SOFTSCORE_INLINE_LAMBDA { z[k] = v; });
    work.at[0][first] = {z[0].re, z[N / 2].re};
    work.at[0][second] = {z[0].im, z[N / 2].im};
    unrolled<N / 2 - 1>([&](auto i) SOFTSCORE_INLINE_LAMBDA {
      constexpr std::size_t k = i + 1;
      const simd_complex<W> u = z[k], v = z[N - k];
      work.at[k][first] = {u.re + v.re, u.im - v.im};
      work.at[k][second] = {u.im + v.im, v.re - u.re};
    });
  }

  // From the half way to the spectrum; live(row) says at compile time whether the row may be other than 0.
  template <class Live>
  static void forward_columns(const half_way& work, const spectrum& out, const Live& live) {
    const auto column = [&](std::size_t kx, const auto& store_frequency) SOFTSCORE_INLINE_LAMBDA {
      fft<fft_sign::forward, N, W>(
          [&](auto row) SOFTSCORE_INLINE_LAMBDA { return live(row) ? work.at[kx][row] : simd_complex<W>{}; },
          store_frequency);
    };
    simd_complex<W> z[N];
    column(0, [&](auto k, simd_complex<W> v) SOFTSCORE_INLINE_LAMBDA { z[k] = v; });
    unrolled<N / 2 + 1>([&](auto k) SOFTSCORE_INLINE_LAMBDA {
      const simd_complex<W> u = z[k], v = z[(N - k) % N];
      out.set(k, {u.re + v.re, u.im - v.im});
      out.set(N / 2 + 1 + k, {u.im + v.im, v.re - u.re});
    });
    for (std::size_t kx = 1; kx < N / 2; ++kx)
      column(kx, [&](auto k, simd_complex<W> v) SOFTSCORE_INLINE_LAMBDA { out.set(first_bin(kx) + k, v); });
  }

  // From the spectrum back to the half way, for the rows that are live.
  template <class Live>
  static void inverse_columns(const spectrum& in, half_way& work, const Live& live) {
    const auto column = [&](std::size_t kx, const auto& load_frequency) SOFTSCORE_INLINE_LAMBDA {
      fft<fft_sign::inverse, N, W>(load_frequency, [&](auto row, simd_complex<W> v) SOFTSCORE_INLINE_LAMBDA {
        if (live(row)) work.at[kx][row] = v;
      });
    };
    column(0, [&](auto k) SOFTSCORE_INLINE_LAMBDA {
      constexpr bool mirrored = k > N / 2;
      constexpr std::size_t bin = mirrored ? N - k : k;
      const simd_complex<W> a = in.get(bin), b = in.get(N / 2 + 1 + bin);
      if constexpr (mirrored)
        return simd_complex<W>{a.re + b.im, b.re - a.im};
      else
        return simd_complex<W>{a.re - b.im, a.im + b.re};
    });
    for (std::size_t kx = 1; kx < N / 2; ++kx)
      column(kx, [&](auto k) SOFTSCORE_INLINE_LAMBDA { return in.get(first_bin(kx) + k); });
  }

  // Rows `first` and `second` of the plane: put(n, numbers) takes their n-th numbers as real and imaginary part.
  template <class Put>
  SOFTSCORE_INLINE static void inverse_rows(const half_way& work, std::size_t first, std::size_t second,
                                            const Put& put) {
    fft<fft_sign::inverse, N, W>(
        [&](auto k) SOFTSCORE_INLINE_LAMBDA {
          constexpr std::size_t column = k == N / 2 ? 0 : (k < N / 2 ? k : N - k);
          const simd_complex<W> a = work.at[column][first], b = work.at[column][second];
          if constexpr (k == 0)
            return simd_complex<W>{a.re, b.re};
          else if constexpr (k == N / 2)
            return simd_complex<W>{a.im, b.im};
          else if constexpr (k < N / 2)
            return simd_complex<W>{a.re - b.im, a.im + b.re};
          else
            return simd_complex<W>{a.re + b.im, b.re - a.im};
        },
        put);
  }

 private:
  static constexpr std::size_t first_bin(std::size_t kx) { return N + 2 + (kx - 1) * N; }
};

}  // namespace softscore::detail
