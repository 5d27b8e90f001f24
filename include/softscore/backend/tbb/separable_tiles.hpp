#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/separable_lines.hpp>
#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>

// Correlation with a symmetric kernel along both directions is a product K X L of matrices with equal numbers along
// their diagonals. Neither matrix is stored: a row of L is a window of the line of taps, which is mirrored about its
// center and has zeros around it, and an entry of K is a number of the same line. So both products are sums of a number
// times a vector, which stay in registers for a tile of rows and columns; only a few rows of K X are stored between the
// two. Tiles at the far edges overlap their neighbors and compute some numbers twice, with the same bits. If a kernel
// is much narrower than a tile, most of a window is zeros, and X L is summed tap by tap instead.

namespace softscore::inline SOFTSCORE_ABI::detail {

// The number of taps on either side of the center that count. Those beyond add up to at most 2^-32 of all in magnitude,
// so omitting them in both directions changes no pixel by more than 2^-31 s^2 max|x|, where s is the sum of all
// magnitudes. Rounding a tap, and a sum of n products with it, changes a pixel by up to (n + 1) 2^-24 s^2 max|x| for
// each direction. The omitted taps would also give products so small that they are denormal, and slow. A pixel that is
// not finite has no effect beyond the reach; within it, and elsewhere in its tile, it may have one.
inline std::size_t reach_of(const double* kernel, std::size_t half) {
  double all = std::abs(kernel[0]) / 2;
  for (std::size_t i = 1; i <= half; ++i) all += std::abs(kernel[i]);
  double beyond = 0.0;
  std::size_t reach = half;
  for (; reach > 0; --reach) {
    beyond += std::abs(kernel[reach]);
    if (!(beyond <= 0x1p-32 * all) || std::isinf(all)) break;  // a NaN counts
  }
  return reach;
}

template <std::size_t W>
struct separable_tiles {
  // Rows of a tile, with two vectors each: twelve sums fit into 16 registers, and 16 sums keep every multiplier busy.
  static constexpr std::size_t tall = W == 16 ? 8 : 6, low = 4;

  static bool fits(const shape& s) { return s.width >= W && s.height >= low; }

  // A kernel's line of taps, for lines of up to `longest` pixels, and room for the rows of one tile.
  static constexpr std::size_t margin = 2 * W;
  static constexpr std::size_t line_size(std::size_t half, std::size_t longest) {
    return 2 * ((std::min)(half, longest - 1) + margin) + 1;
  }
  static constexpr std::size_t row_step(std::size_t width) { return width + 2 * W; }  // zeros on both sides
  static constexpr std::size_t scratch(std::size_t half, const shape& s) {
    return line_size(half, (std::max)(s.height, s.width)) + tall * row_step(s.width);
  }

  // Computes rows `first` up to `last` of every plane of one image that fits: all rows, or at least `tall` of them.
  // `work` has room for `scratch` numbers.
  static void correlate(const double* kernel, std::size_t half, const shape& s, std::size_t first, std::size_t last,
                        const float* in, float* out, float* work) {
    const std::size_t reach = (std::min)(reach_of(kernel, half), (std::max)(s.height, s.width) - 1);
    if (reach == 0) return scale(static_cast<float>(kernel[0]), s, first, last, in, out);
    const taps_line taps = line_of(kernel, reach, work);
    const bool near = 4 * reach + 2 <= (std::min)(s.width, 2 * (W + reach));  // half of a window is zeros; reach < W
    float* const rows = work + line_size(reach, reach + 1);
    if (near) std::fill_n(rows, tall * row_step(s.width), 0.0f);
    for (std::size_t c = 0; c < s.channels; ++c, in += s.plane(), out += s.plane())
      spans(first, last, s.height, [&](std::size_t y, auto count) {
        down<count>(taps, s, y, in, rows + W);
        if (near)
          along_near<count>(taps, s.width, rows + W, out + y * s.width);
        else
          along<count>(taps, s.width, rows + W, out + y * s.width);
      });
  }

 private:
  struct taps_line {
    const float* center;
    std::size_t reach;
  };
  static taps_line line_of(const double* kernel, std::size_t reach, float* line) {
    float* const center = line + reach + margin;
    std::fill_n(line, line_size(reach, reach + 1), 0.0f);
    for (std::size_t i = 0; i <= reach; ++i) center[i] = *(center - i) = static_cast<float>(kernel[i]);
    return {center, reach};
  }

  // For a kernel with a single tap that counts.
  static void scale(float tap, const shape& s, std::size_t first, std::size_t last, const float* in, float* out) {
    for (std::size_t c = 0; c < s.channels; ++c)
      for (std::size_t i = c * s.plane() + first * s.width; i < c * s.plane() + last * s.width; ++i)
        out[i] = in[i] * tap * tap;
  }

  // Calls body(y, constant count) for runs of rows that cover first .. last - 1. The last run may overlap the one
  // before.
  template <class Body>
  SOFTSCORE_INLINE static void spans(std::size_t first, std::size_t last, std::size_t height, const Body& body) {
    std::size_t y = first;
    for (; y + low < last && height >= tall; y += tall)
      body((std::min)(y, height - tall), std::integral_constant<std::size_t, tall>{});
    for (; y < last; y += low) body((std::min)(y, height - low), std::integral_constant<std::size_t, low>{});
  }

  // Calls body(x, constant number of vectors, position of the second) for vectors that cover a row.
  template <class Body>
  SOFTSCORE_INLINE static void column_pairs(std::size_t width, const Body& body) {
    for (std::size_t x = 0; x < width; x += 2 * W)
      if (x + W < width)
        body(x, std::integral_constant<std::size_t, 2>{}, (std::min)(x + W, width - W));
      else
        body((std::min)(x, width - W), std::integral_constant<std::size_t, 1>{}, std::size_t{0});
  }

  // rows (Rows, width) = rows y .. of K X.
  template <std::size_t Rows>
  static void down(const taps_line& taps, const shape& s, std::size_t y, const float* x, float* rows) {
    const std::size_t first = y - (std::min)(y, taps.reach), last = (std::min)(s.height, y + Rows + taps.reach);
    column_pairs(s.width, [&](std::size_t column, auto vectors, std::size_t second) SOFTSCORE_INLINE_LAMBDA {
      simd<W> sum[Rows][vectors] = {};
      const float* tap = taps.center + y - first;
      const float* from = x + first * s.width;
      for (std::size_t j = first; j < last; ++j, --tap, from += s.width)
        add_products<Rows, vectors>(sum, tap, 1, from + column, from + second);
      store_tile<Rows, vectors>(sum, rows, row_step(s.width), column, second);
    });
  }

  // out (Rows, width) = rows L.
  template <std::size_t Rows>
  static void along(const taps_line& taps, std::size_t width, const float* rows, float* out) {
    column_pairs(width, [&](std::size_t column, auto vectors, std::size_t second) SOFTSCORE_INLINE_LAMBDA {
      const std::size_t end = vectors == 2 ? second + W : column + W;
      const std::size_t first = column - (std::min)(column, taps.reach), last = (std::min)(width, end + taps.reach);
      simd<W> sum[Rows][vectors] = {};
      const float* window = taps.center + column - first;
      for (std::size_t j = first; j < last; ++j, --window)
        add_products<Rows, vectors>(sum, rows + j, row_step(width), window,
                                    vectors == 2 ? window + (second - column) : window);
      store_tile<Rows, vectors>(sum, out, width, column, second);
    });
  }

  // The same, tap by tap.
  template <std::size_t Rows>
  static void along_near(const taps_line& taps, std::size_t width, const float* rows, float* out) {
    column_pairs(width, [&](std::size_t column, auto vectors, std::size_t second) SOFTSCORE_INLINE_LAMBDA {
      simd<W> sum[Rows][vectors] = {};
      const float* from = rows - taps.reach;
      for (const float* tap = taps.center - taps.reach; tap <= taps.center + taps.reach; ++tap, ++from)
        unrolled<Rows>([&](auto r) SOFTSCORE_INLINE_LAMBDA {
          const float* row = from + r * row_step(width);
          unrolled<vectors>(
              [&](auto v) SOFTSCORE_INLINE_LAMBDA { sum[r][v] += load<W>(row + (v == 0 ? column : second)) * *tap; });
        });
      store_tile<Rows, vectors>(sum, out, width, column, second);
    });
  }

  // sum[r][v] += number[r * step] * vector v.
  template <std::size_t Rows, std::size_t Vectors>
  SOFTSCORE_INLINE static void add_products(simd<W> (&sum)[Rows][Vectors], const float* number, std::size_t step,
                                            const float* vector, const float* second) {
    simd<W> of[Vectors];
    unrolled<Vectors>([&](auto v) SOFTSCORE_INLINE_LAMBDA { of[v] = load<W>(v == 0 ? vector : second); });
    unrolled<Rows>([&](auto r) SOFTSCORE_INLINE_LAMBDA {
      const float one = number[r * step];
      unrolled<Vectors>([&](auto v) SOFTSCORE_INLINE_LAMBDA { sum[r][v] += of[v] * one; });
    });
  }

  template <std::size_t Rows, std::size_t Vectors>
  SOFTSCORE_INLINE static void store_tile(const simd<W> (&sum)[Rows][Vectors], float* to, std::size_t step,
                                          std::size_t column, std::size_t second) {
    unrolled<Rows>([&](auto r) SOFTSCORE_INLINE_LAMBDA {
      unrolled<Vectors>([&](auto v)
                            SOFTSCORE_INLINE_LAMBDA { store(to + r * step + (v == 0 ? column : second), sum[r][v]); });
    });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
