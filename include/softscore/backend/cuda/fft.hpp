#pragma once

#include <cstddef>
#include <cstdint>
#include <numbers>
#include <utility>

#include <softscore/backend/cuda/complex.hpp>
#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/core/config.hpp>

#if defined(__CUDACC__)
#define SOFTSCORE_IN_KERNEL __host__ __device__ __forceinline__
#else
#define SOFTSCORE_IN_KERNEL inline
#endif

namespace softscore::inline SOFTSCORE_ABI::detail {

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

// The transform of N complex numbers in the registers of one thread; `in` is read at every Stride-th position. An
// inverse transform does not divide.
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
// spectrum array holds the numbers of all planes for every bin. Images are in the corner of the plane and the rest is
// 0. `shift` rotates the plane cyclically, which puts the center of a kernel at the origin: position (row, column) of
// the plane is element ((row + shift) mod N, (column + shift) mod N) of the array, if there is one.
//
// In a block's memory number kx of a transformed row is at [plane][kx][row], and two real numbers of a row share such a
// position: columns 2 k and 2 k + 1 are the real and the imaginary part of number k. So each thread transforms its rows
// in place, and all threads read and write whole rows of the array in order.
template <class T, std::size_t N>
struct plane_layout {
  static constexpr std::size_t columns = N / 2 + 1, bins = N * columns, line = N + 1;
  // Planes are offset by 2 from a multiple of 16, and lines by 1, so that threads access different banks.
  static constexpr std::size_t plane = columns * line + (18 - columns * line % 16) % 16;
  static constexpr std::size_t bytes = plane * sizeof(complex_number<T>);
  static constexpr std::size_t most_bytes = 48 * 1024;
  static constexpr std::size_t planes = most_bytes / bytes >= 8 ? 8 : most_bytes / bytes;  // of one block
  static_assert(planes >= 1);
  // One for every line of every plane, in whole warps.
  static constexpr std::size_t threads = ceiling(planes * columns, 32) * 32;
  static grid launch(std::size_t all) { return {ceiling(all, planes), threads, planes * bytes}; }

  static constexpr std::size_t together = 8;  // numbers that a thread reads before it needs the first
  static constexpr std::size_t rounds = ceiling(planes * N * N, threads* together);
  struct place {
    std::uint32_t plane, row, column;
  };
  // Number `k` of a thread in a round, in the order of memory.
  SOFTSCORE_HD static constexpr place place_of(std::size_t thread, std::size_t round, std::size_t k) {
    const auto e = static_cast<std::uint32_t>((round * together + k) * threads + thread);
    constexpr auto n = static_cast<std::uint32_t>(N);
    return {e / (n * n), e / n % n, e % n};
  }
  SOFTSCORE_HD static constexpr std::uint32_t real_number(place p) {
    constexpr auto of_plane = static_cast<std::uint32_t>(plane), of_line = static_cast<std::uint32_t>(line);
    return 2 * (p.plane * of_plane + p.column / 2 * of_line + p.row) + p.column % 2;
  }
  // The element of the array for that position of the block's planes, or `none`.
  static constexpr std::uint32_t none = 0xFFFFFFFFu;
  SOFTSCORE_HD static constexpr std::uint32_t element(place p, std::uint32_t here, std::uint32_t height,
                                                      std::uint32_t width, std::uint32_t shift) {
    constexpr auto n = static_cast<std::uint32_t>(N);
    const std::uint32_t row = (p.row + shift) % n, column = (p.column + shift) % n;
    return p.plane < here && row < height && column < width ? (p.plane * height + row) * width + column : none;
  }
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
    complex_number<T>* work = group.template shared<complex_number<T>>();
    const std::size_t first = group.block() * layout::planes;
    const std::size_t here = planes - first < layout::planes ? planes - first : layout::planes;
    group.each_thread([&](std::size_t t) {
      T* reals = reinterpret_cast<T*>(work);
      const T* from = in + first * height * width;
      for (std::size_t round = 0; round < layout::rounds; ++round) {
        T values[layout::together];
        SOFTSCORE_UNROLL
        for (std::size_t k = 0; k < layout::together; ++k) {
          const std::uint32_t e = layout::element(layout::place_of(t, round, k), narrow(here), narrow(height),
                                                  narrow(width), narrow(shift));
          values[k] = e != layout::none ? from[e] : T{};
        }
        SOFTSCORE_UNROLL
        for (std::size_t k = 0; k < layout::together; ++k) {
          const auto at = layout::place_of(t, round, k);
          if (at.plane < layout::planes) reals[layout::real_number(at)] = values[k];
        }
      }
    });
    // Two rows at once, as real and imaginary part.
    group.each_thread([&](std::size_t t) {
      if (t >= layout::planes * (N / 2)) return;
      complex_number<T>* up = work + t / (N / 2) * layout::plane + t % (N / 2);
      complex_number<T>* down = up + N / 2;
      complex_number<T> x[N], z[N];
      SOFTSCORE_UNROLL
      for (std::size_t k = 0; k < N / 2; ++k) {
        const complex_number<T> a = up[k * layout::line], b = down[k * layout::line];
        x[2 * k] = {a.re, b.re};
        x[2 * k + 1] = {a.im, b.im};
      }
      transform_line<N, 1, false>(x, z);
      SOFTSCORE_UNROLL
      for (std::size_t k = 0; k < layout::columns; ++k) {
        const complex_number<T> u = z[k], v = z[(N - k) % N];
        up[k * layout::line] = {T(0.5) * (u.re + v.re), T(0.5) * (u.im - v.im)};
        down[k * layout::line] = {T(0.5) * (u.im + v.im), T(0.5) * (v.re - u.re)};
      }
    });
    group.each_thread([&](std::size_t t) {
      const std::size_t p = t % layout::planes, kx = t / layout::planes;
      if (p >= here || kx >= layout::columns) return;
      const complex_number<T>* from = work + p * layout::plane + kx * layout::line;
      complex_number<T> x[N], z[N];
      SOFTSCORE_UNROLL
      for (std::size_t row = 0; row < N; ++row) x[row] = from[row];
      transform_line<N, 1, false>(x, z);
      SOFTSCORE_UNROLL
      for (std::size_t ky = 0; ky < N; ++ky) out[(kx * N + ky) * planes + first + p] = z[ky];
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
    complex_number<T>* work = group.template shared<complex_number<T>>();
    const std::size_t first = group.block() * layout::planes;
    const std::size_t here = planes - first < layout::planes ? planes - first : layout::planes;
    group.each_thread([&](std::size_t t) {
      const std::size_t p = t % layout::planes, kx = t / layout::planes;
      if (p >= here || kx >= layout::columns) return;
      complex_number<T>* to = work + p * layout::plane + kx * layout::line;
      complex_number<T> x[N], z[N];
      SOFTSCORE_UNROLL
      for (std::size_t ky = 0; ky < N; ++ky) x[ky] = in[(kx * N + ky) * planes + first + p];
      transform_line<N, 1, true>(x, z);
      SOFTSCORE_UNROLL
      for (std::size_t row = 0; row < N; ++row) to[row] = z[row];
    });
    group.each_thread([&](std::size_t t) {
      const std::size_t p = t / (N / 2);
      if (p >= here) return;
      complex_number<T>* up = work + p * layout::plane + t % (N / 2);
      complex_number<T>* down = up + N / 2;
      complex_number<T> x[N], z[N];
      SOFTSCORE_UNROLL
      for (std::size_t k = 0; k < N; ++k) {
        const std::size_t kx = k < layout::columns ? k : N - k;
        const complex_number<T> a = up[kx * layout::line], b = down[kx * layout::line];
        x[k] = k < layout::columns ? complex_number<T>{a.re - b.im, a.im + b.re}
                                   : complex_number<T>{a.re + b.im, b.re - a.im};
      }
      transform_line<N, 1, true>(x, z);
      const T added = bias != nullptr ? bias[(first + p) % channels] : T{};
      constexpr T scale = T(1) / T(N * N);
      SOFTSCORE_UNROLL
      for (std::size_t k = 0; k < N / 2; ++k) {
        up[k * layout::line] = {z[2 * k].re * scale + added, z[2 * k + 1].re * scale + added};
        down[k * layout::line] = {z[2 * k].im * scale + added, z[2 * k + 1].im * scale + added};
      }
    });
    group.each_thread([&](std::size_t t) {
      const T* reals = reinterpret_cast<const T*>(work);
      T* to = out + first * height * width;
      for (std::size_t round = 0; round < layout::rounds; ++round) {
        SOFTSCORE_UNROLL
        for (std::size_t k = 0; k < layout::together; ++k) {
          const auto at = layout::place_of(t, round, k);
          const std::uint32_t e = layout::element(at, narrow(here), narrow(height), narrow(width), narrow(shift));
          if (e != layout::none) to[e] = reals[layout::real_number(at)];
        }
      }
    });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
