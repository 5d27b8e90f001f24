#pragma once

#include <cstddef>
#include <numbers>
#include <utility>

#include <softscore/backend/cuda/complex.hpp>
#include <softscore/backend/cuda/tasks.hpp>

#if defined(__CUDACC__)
#define SOFTSCORE_IN_KERNEL __host__ __device__ __forceinline__
#else
#define SOFTSCORE_IN_KERNEL inline
#endif

namespace softscore::detail {

// Cosine and sine of 2 pi k / n by their series, at compile time.
struct root_of_one {
  double cosine{}, sine{};

  constexpr root_of_one(std::size_t k, std::size_t n) {
    double turn = static_cast<double>(k % n) / static_cast<double>(n);
    if (turn > 0.5) turn -= 1;
    const double angle = 2 * std::numbers::pi * turn;
    double term = 1;
    for (int power = 0; power < 40; ++power) {
      (power % 2 == 0 ? cosine : sine) += power % 4 < 2 ? term : -term;
      term *= angle / (power + 1);
    }
  }
};

// a exp(-2 pi i K / N), or with the other sign for an inverse transform.
template <std::size_t K, std::size_t N, bool Inverse, class T>
SOFTSCORE_IN_KERNEL complex_number<T> turned_by(complex_number<T> a) {
  if constexpr (K == 0) {
    return a;
  } else if constexpr (4 * K == N) {
    return Inverse ? complex_number<T>{-a.im, a.re} : complex_number<T>{a.im, -a.re};
  } else {
    constexpr T c = static_cast<T>(root_of_one{K, N}.cosine);
    constexpr T s = static_cast<T>(Inverse ? root_of_one{K, N}.sine : -root_of_one{K, N}.sine);
    return {a.re * c - a.im * s, a.im * c + a.re * s};
  }
}

template <std::size_t N, bool Inverse, class T, std::size_t... K>
SOFTSCORE_IN_KERNEL void join_halves(complex_number<T>* x, std::index_sequence<K...>) {
  const auto join = [](complex_number<T>& even, complex_number<T>& odd, complex_number<T> turned) {
    odd = even - turned;
    even = even + turned;
  };
  (join(x[K], x[K + N / 2], turned_by<K, N, Inverse>(x[K + N / 2])), ...);
}

// The transform of N complex numbers in the registers of one thread; `in` is read at every Stride-th place. An inverse
// one does not divide.
template <std::size_t N, std::size_t Stride, bool Inverse, class T>
SOFTSCORE_IN_KERNEL void transform_line(const complex_number<T>* in, complex_number<T>* out) {
  if constexpr (N == 1) {
    out[0] = in[0];
  } else {
    transform_line<N / 2, 2 * Stride, Inverse>(in, out);
    transform_line<N / 2, 2 * Stride, Inverse>(in + Stride, out + N / 2);
    join_halves<N, Inverse>(out, std::make_index_sequence<N / 2>{});
  }
}

// Real planes of N x N numbers and their spectra: bins (kx, ky), kx = 0 .. N/2, ky = 0 .. N - 1, bin kx N + ky; a
// spectrum array holds for every bin the number of every plane. Images lie in the corner of the plane and the rest is
// 0; `shift` turns the plane cyclically, which puts the centre of a kernel at the origin: place (row, column) of the
// plane is element ((row + shift) mod N, (column + shift) mod N) of the array, if there is one.
template <class T, std::size_t N>
struct plane_layout {
  static constexpr std::size_t columns = N / 2 + 1, bins = N * columns;
  static constexpr std::size_t line = N + 1;  // the extra number keeps columns out of one bank
  static constexpr std::size_t bytes = columns * line * sizeof(complex_number<T>);
  static constexpr std::size_t most_bytes = 48 * 1024;
  static constexpr std::size_t planes = most_bytes / bytes >= 8 ? 8 : most_bytes / bytes;  // of one block
  static_assert(planes >= 1);
  static constexpr unsigned threads = 128;
  static grid launch(std::size_t all) { return {ceiling(all, planes), threads, planes * bytes}; }
};

template <class T, std::size_t N>
struct to_spectrum_task {
  using layout = plane_layout<T, N>;
  static constexpr unsigned most_threads = layout::threads;
  const T* in;             // planes x height x width
  complex_number<T>* out;  // bins x planes
  std::size_t planes, height, width, shift;

  grid launch() const { return layout::launch(planes); }

  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    complex_number<T>* work = group.template shared<complex_number<T>>();  // [plane][kx][row]
    const std::size_t first = group.block() * layout::planes;
    const std::size_t here = planes - first < layout::planes ? planes - first : layout::planes;
    // Two rows at once, as real and imaginary part.
    group.each_thread([&](std::size_t t) {
      for (std::size_t task = t; task < here * (N / 2); task += group.threads()) {
        const std::size_t p = task / (N / 2), row = 2 * (task % (N / 2));
        const std::size_t up = (row + shift) % N, down = (row + 1 + shift) % N;
        const T* plane = in + (first + p) * height * width;
        complex_number<T>* to = work + p * layout::columns * layout::line + row;
        complex_number<T> x[N], z[N];
        SOFTSCORE_UNROLL
        for (std::size_t c = 0; c < N; ++c) {
          const std::size_t column = (c + shift) % N;
          x[c] = {up < height && column < width ? plane[up * width + column] : T{},
                  down < height && column < width ? plane[down * width + column] : T{}};
        }
        transform_line<N, 1, false>(x, z);
        SOFTSCORE_UNROLL
        for (std::size_t k = 0; k < layout::columns; ++k) {
          const complex_number<T> u = z[k], v = z[(N - k) % N];
          to[k * layout::line] = {T(0.5) * (u.re + v.re), T(0.5) * (u.im - v.im)};
          to[k * layout::line + 1] = {T(0.5) * (u.im + v.im), T(0.5) * (v.re - u.re)};
        }
      }
    });
    group.each_thread([&](std::size_t t) {
      for (std::size_t task = t; task < layout::planes * layout::columns; task += group.threads()) {
        const std::size_t p = task % layout::planes, kx = task / layout::planes;
        if (p >= here) continue;
        const complex_number<T>* from = work + (p * layout::columns + kx) * layout::line;
        complex_number<T> x[N], z[N];
        SOFTSCORE_UNROLL
        for (std::size_t row = 0; row < N; ++row) x[row] = from[row];
        transform_line<N, 1, false>(x, z);
        SOFTSCORE_UNROLL
        for (std::size_t ky = 0; ky < N; ++ky) out[(kx * N + ky) * planes + first + p] = z[ky];
      }
    });
  }
};

template <class T, std::size_t N>
struct from_spectrum_task {
  using layout = plane_layout<T, N>;
  static constexpr unsigned most_threads = layout::threads;
  const complex_number<T>* in;  // bins x planes
  T* out;                       // planes x height x width
  const T* bias;                // one number per channel, or null
  std::size_t planes, channels, height, width, shift;

  grid launch() const { return layout::launch(planes); }

  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    complex_number<T>* work = group.template shared<complex_number<T>>();  // [plane][kx][row]
    const std::size_t first = group.block() * layout::planes;
    const std::size_t here = planes - first < layout::planes ? planes - first : layout::planes;
    group.each_thread([&](std::size_t t) {
      for (std::size_t task = t; task < layout::planes * layout::columns; task += group.threads()) {
        const std::size_t p = task % layout::planes, kx = task / layout::planes;
        if (p >= here) continue;
        complex_number<T>* to = work + (p * layout::columns + kx) * layout::line;
        complex_number<T> x[N], z[N];
        SOFTSCORE_UNROLL
        for (std::size_t ky = 0; ky < N; ++ky) x[ky] = in[(kx * N + ky) * planes + first + p];
        transform_line<N, 1, true>(x, z);
        SOFTSCORE_UNROLL
        for (std::size_t row = 0; row < N; ++row) to[row] = z[row];
      }
    });
    group.each_thread([&](std::size_t t) {
      for (std::size_t task = t; task < here * (N / 2); task += group.threads()) {
        const std::size_t p = task / (N / 2), row = 2 * (task % (N / 2));
        const std::size_t up = (row + shift) % N, down = (row + 1 + shift) % N;
        if (up >= height && down >= height) continue;
        const complex_number<T>* from = work + p * layout::columns * layout::line + row;
        complex_number<T> x[N], z[N];
        SOFTSCORE_UNROLL
        for (std::size_t k = 0; k < N; ++k) {
          const std::size_t kx = k < layout::columns ? k : N - k;
          const complex_number<T> a = from[kx * layout::line], b = from[kx * layout::line + 1];
          x[k] = k < layout::columns ? complex_number<T>{a.re - b.im, a.im + b.re}
                                     : complex_number<T>{a.re + b.im, b.re - a.im};
        }
        transform_line<N, 1, true>(x, z);
        T* plane = out + (first + p) * height * width;
        const T added = bias != nullptr ? bias[(first + p) % channels] : T{};
        SOFTSCORE_UNROLL
        for (std::size_t c = 0; c < N; ++c) {
          const std::size_t column = (c + shift) % N;
          if (column >= width) continue;
          if (up < height) plane[up * width + column] = z[c].re * (T(1) / T(N * N)) + added;
          if (down < height) plane[down * width + column] = z[c].im * (T(1) / T(N * N)) + added;
        }
      }
    });
  }
};

}  // namespace softscore::detail
