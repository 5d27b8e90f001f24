#pragma once

#include <bit>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// to[j][i] = factor from[i][j] for W rows and columns, the rows a stride apart.
template <std::size_t W>
void transpose(const float* from, std::size_t from_stride, float* to, std::size_t to_stride, float factor = 1) {
  simd<W> in[W], out[W];
  unrolled<W>([&](auto i) SOFTSCORE_INLINE_LAMBDA { in[i] = load<W>(from + i * from_stride); });
  // Interleaves row i and row i + W / 2 into rows 2 i and 2 i + 1: this rotates the bits of a number's row and lane, as
  // one word, left by one. After log2 W rounds row and lane are exchanged.
  unrolled<std::countr_zero(W)>([&](auto) SOFTSCORE_INLINE_LAMBDA {
    unrolled<W / 2>(
        [&](auto i) SOFTSCORE_INLINE_LAMBDA { interleave<1, W>(in[i], in[i + W / 2], out[2 * i], out[2 * i + 1]); });
    unrolled<W>([&](auto i) SOFTSCORE_INLINE_LAMBDA { in[i] = out[i]; });
  });
  unrolled<W>([&](auto i) SOFTSCORE_INLINE_LAMBDA { store(to + i * to_stride, factor * in[i]); });
}

// The matrix products of attention: each row of a result has 2 W tokens in its lanes, and one number of the other
// factor is used for all of them. So a vector is full for any width of a head, and nothing is summed across lanes.
template <std::size_t W>
struct attention_products {
  static constexpr std::size_t lanes = 2 * W;
  static constexpr std::size_t rows = 4;  // the number of rows is rounded up to a multiple of this

  // out[a][lane] = the sum over c < count of x[c][lane] y[c][a], for a < `of_out`. Rows of `out` have `lanes` numbers.
  static void set(std::size_t of_out, std::size_t count, const float* x, std::size_t x_stride, const float* y,
                  std::size_t y_stride, float* out) {
    each_tile(of_out, [&](std::size_t a, auto at_once) SOFTSCORE_INLINE_LAMBDA {
      const float* of_y = y + a;
      float* of_out_tile = out + a * lanes;
      simd<W> sum[at_once][2] = {};
      for (std::size_t c = 0; c < count; ++c, of_y += y_stride) {
        const simd<W> low = load<W>(x + c * x_stride), high = load<W>(x + c * x_stride + W);
        unrolled<at_once>([&](auto k) SOFTSCORE_INLINE_LAMBDA { accumulate(sum[k], of_y[k], low, high); });
      }
      unrolled<at_once>([&](auto k) SOFTSCORE_INLINE_LAMBDA {
        store(of_out_tile + k * lanes, sum[k][0]);
        store(of_out_tile + k * lanes + W, sum[k][1]);
      });
    });
  }

  // out[a][lane] += the sum over b < count of x[b][lane] y[a][b], for a < `of_out`; the sum is computed first. Rows of
  // `x` are x_stride apart.
  static void add(std::size_t of_out, std::size_t count, const float* x, std::size_t x_stride, const float* y,
                  std::size_t y_stride, float* out, std::size_t out_stride) {
    each_tile(of_out, [&](std::size_t a, auto at_once) SOFTSCORE_INLINE_LAMBDA {
      const float* of_y = y + a * y_stride;
      float* of_out_tile = out + a * out_stride;
      simd<W> sum[at_once][2] = {};
      for (std::size_t b = 0; b < count; ++b) {
        const simd<W> low = load<W>(x + b * x_stride), high = load<W>(x + b * x_stride + W);
        unrolled<at_once>([&](auto k)
                              SOFTSCORE_INLINE_LAMBDA { accumulate(sum[k], of_y[k * y_stride + b], low, high); });
      }
      unrolled<at_once>([&](auto k) SOFTSCORE_INLINE_LAMBDA {
        float* to = of_out_tile + k * out_stride;
        store(to, load<W>(to) + sum[k][0]);
        store(to + W, load<W>(to + W) + sum[k][1]);
      });
    });
  }

 private:
  // Rows whose sums stay in registers: they use half of 32 registers, or of 16.
  static constexpr std::size_t most_at_once = W == 16 ? 8 : 4;

  template <class Body>
  SOFTSCORE_INLINE static void each_tile(std::size_t of_out, const Body& body) {
    std::size_t a = 0;
    if constexpr (most_at_once > rows)
      for (; a + rows < of_out; a += most_at_once) body(a, std::integral_constant<std::size_t, most_at_once>{});
    for (; a < of_out; a += rows) body(a, std::integral_constant<std::size_t, rows>{});
  }
  SOFTSCORE_INLINE static void accumulate(simd<W> (&sum)[2], float factor, simd<W> low, simd<W> high) {
    const simd<W> f = as_vector(broadcast<W>(factor));
    sum[0] += f * low;
    sum[1] += f * high;
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
