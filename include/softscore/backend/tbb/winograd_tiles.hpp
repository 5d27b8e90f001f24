#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/backend/tbb/winograd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Transforms of some tiles: (point, tile, block, W). Points are an odd number of vectors apart, so that those of one
// tile do not map to the same lines of the cache.
template <std::size_t W>
struct winograd_spectra {
  static constexpr std::size_t points = winograd::points * winograd::points;

  float* data;
  std::size_t blocks, most;  // most tiles

  std::size_t step() const { return blocks * W; }
  std::size_t stride() const { return (blocks * most / 2 * 2 + 1) * W; }
  std::size_t size() const { return points * stride(); }
  float* at(std::size_t point) const { return data + point * stride(); }
  float* of(std::size_t tile, std::size_t block) const { return data + tile * step() + block * W; }
};

// The tiles of 4 x 4 outputs of a plane, and the operations on one of them. A plane is W contiguous channels; a tile's
// transform is 36 vectors, `stride` apart.
template <std::size_t W>
class winograd_tiles {
 public:
  struct place {
    std::size_t image, row, column;  // of the tile's first output
  };

  winograd_tiles(std::size_t height, std::size_t width) : height_{height}, width_{width} {}

  std::size_t pixels() const { return height_ * width_; }
  std::size_t per_image() const { return (height_ + step - 1) / step * columns(); }
  place place_of(std::size_t tile) const {
    const std::size_t within = tile % per_image();
    return {tile / per_image(), within / columns() * step, within % columns() * step};
  }

  // Transforms the 6 x 6 inputs of a tile.
  void transform(const float* plane, const place& p, float* out, std::size_t stride) const {
    if (p.row > 0 && p.column > 0 && p.row + step < height_ && p.column + step < width_)
      transform_tile<true>(plane, p, out, stride);
    else
      transform_tile<false>(plane, p, out, stride);
  }

  // The transposed output transform of a tile of dy, whose sum is added to `bias`.
  [[gnu::noinline]] void transform_gradient(const float* plane, const place& p, float* out, std::size_t stride,
                                            float* bias) const {
    simd<W> work[step][side], sum = load<W>(bias);
    for (std::size_t r = 0; r < step; ++r) {
      simd<W> y[step] = {};
      if (p.row + r < height_)
        unrolled<step>([&](auto c) SOFTSCORE_INLINE_LAMBDA {
          if (p.column + c < width_) y[c] = load<W>(plane + ((p.row + r) * width_ + p.column + c) * W);
        });
      sum += (y[0] + y[1]) + (y[2] + y[3]);
      winograd::output_adjoint(y, work[r]);
    }
    store(bias, sum);
    for (std::size_t c = 0; c < side; ++c) {
      simd<W> y[step], v[side];
      unrolled<step>([&](auto r) SOFTSCORE_INLINE_LAMBDA { y[r] = work[r][c]; });
      winograd::output_adjoint(y, v);
      unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { store(out + (r * side + c) * stride, v[r]); });
    }
  }

  // Sets a tile of the output: its inverse transform, plus `bias` and the tile of `addend`, either of which may be
  // null.
  [[gnu::noinline]] void transform_back(const float* in, std::size_t stride, const float* bias, const float* addend,
                                        const place& p, float* plane) const {
    const simd<W> added = bias == nullptr ? simd<W>{} : load<W>(bias);
    simd<W> work[step][side];
    for (std::size_t c = 0; c < side; ++c) {
      simd<W> m[side], y[step];
      unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { m[r] = load<W>(in + (r * side + c) * stride); });
      winograd::output(m, y);
      unrolled<step>([&](auto r) SOFTSCORE_INLINE_LAMBDA { work[r][c] = y[r]; });
    }
    for (std::size_t r = 0; r < (std::min)(step, height_ - p.row); ++r) {
      simd<W> y[step];
      winograd::output(work[r], y);
      const std::size_t at = ((p.row + r) * width_ + p.column) * W;
      unrolled<step>([&](auto c) SOFTSCORE_INLINE_LAMBDA {
        if (p.column + c >= width_) return;
        simd<W> sum = y[c] + added;
        if (addend != nullptr) sum += load<W>(addend + at + c * W);
        store(plane + at + c * W, sum);
      });
    }
  }

 private:
  static constexpr std::size_t side = winograd::points, step = winograd::outputs;

  std::size_t columns() const { return (width_ + step - 1) / step; }

  template <bool Inside>
  [[gnu::noinline]] void transform_tile(const float* plane, const place& p, float* out, std::size_t stride) const {
    simd<W> work[side][side];
    for (std::size_t r = 0; r < side; ++r) {
      simd<W> d[side] = {};
      // A row or column before the plane wraps around to a large number.
      const std::size_t row = p.row + r - 1;
      if (Inside || row < height_)
        unrolled<side>([&](auto c) SOFTSCORE_INLINE_LAMBDA {
          const std::size_t column = p.column + c - 1;
          if (Inside || column < width_) d[c] = load<W>(plane + (row * width_ + column) * W);
        });
      winograd::data(d, work[r]);
    }
    for (std::size_t c = 0; c < side; ++c) {
      simd<W> d[side], v[side];
      unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { d[r] = work[r][c]; });
      winograd::data(d, v);
      unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { store(out + (r * side + c) * stride, v[r]); });
    }
  }

  std::size_t height_, width_;
};

// The transforms of W kernels, `lane_step` apart, as 36 vectors that are `stride` apart.
template <std::size_t W>
[[gnu::noinline]] void transform_winograd_taps(const float* weight, std::size_t lane_step, bool mirrored, float* out,
                                               std::size_t stride) {
  constexpr std::size_t side = winograd::points, taps = winograd::taps, all = taps * taps;
  // Store all numbers before the first vector is read: a vector that is read right after its numbers were stored waits
  // for them.
  alignas(4 * W) float lanes[all][W];
  for (std::size_t lane = 0; lane < W; ++lane, weight += lane_step)
    unrolled<all>([&](auto tap) SOFTSCORE_INLINE_LAMBDA { lanes[tap][lane] = weight[tap]; });
  simd<W> work[taps][side];
  for (std::size_t r = 0; r < taps; ++r) {
    simd<W> g[taps];
    unrolled<taps>([&](auto c) SOFTSCORE_INLINE_LAMBDA {
      const std::size_t tap = r * taps + c;
      g[c] = load<W>(lanes[mirrored ? all - 1 - tap : tap]);
    });
    winograd::kernel(g, work[r]);
  }
  for (std::size_t c = 0; c < side; ++c) {
    simd<W> g[taps], u[side];
    unrolled<taps>([&](auto r) SOFTSCORE_INLINE_LAMBDA { g[r] = work[r][c]; });
    winograd::kernel(g, u);
    unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { store(out + (r * side + c) * stride, u[r]); });
  }
}

// The gradient of the kernels from W channels, contiguous at `dweight`, from 36 sums that are `stride` apart.
template <std::size_t W>
[[gnu::noinline]] void collect_winograd_taps(const float* sums, std::size_t stride, float* dweight) {
  constexpr std::size_t side = winograd::points, taps = winograd::taps;
  simd<W> work[taps][side];
  for (std::size_t c = 0; c < side; ++c) {
    simd<W> u[side], g[taps];
    unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { u[r] = load<W>(sums + (r * side + c) * stride); });
    winograd::kernel_adjoint(u, g);
    unrolled<taps>([&](auto r) SOFTSCORE_INLINE_LAMBDA { work[r][c] = g[r]; });
  }
  for (std::size_t r = 0; r < taps; ++r) {
    simd<W> g[taps];
    winograd::kernel_adjoint(work[r], g);
    for (std::size_t c = 0; c < taps; ++c)
      for (std::size_t lane = 0; lane < W; ++lane) dweight[lane * 9 + r * taps + c] = g[c][lane];
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
