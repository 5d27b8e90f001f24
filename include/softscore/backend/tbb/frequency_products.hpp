#pragma once

#include <cstddef>

#include <softscore/backend/tbb/fft.hpp>
#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Products of spectra at one frequency. Channels are in blocks: W real parts, then W imaginary parts. Every loop below
// keeps its sums in registers, so the tiles are sized for 32 registers if W is 16, and for 16 otherwise.
//
// With 32 registers a complex product takes three products of numbers (Gauss): (a + ib)(c + id) is ac - bd and (a +
// b)(c + d) - ac - bd. The sums use other units of the processor than the products, and a tile shares them. Rounding
// grows with |a + b| |c + d| <= 2 |a + ib| |c + id|, so at most twice as much.
template <std::size_t W>
struct frequency_products {
  static constexpr bool many_registers = W == 16;

  // y[n][b] (set) = sum over channels c of h[b][c] * x[n][c], complex, for `images` images n and `blocks` output blocks
  // b of W channels in the lanes. h: (blocks, channels, 2 W); x, y: one image after another, x_step and y_step apart.
  static void multiply(const float* h, const float* x, float* y, std::size_t channels, std::size_t blocks,
                       std::size_t images, std::size_t x_step, std::size_t y_step) {
    std::size_t b = 0;
    for (; b + 2 <= blocks; b += 2)
      multiply_blocks<2>(h + b * channels * 2 * W, x, y + b * 2 * W, channels, images, x_step, y_step);
    for (; b < blocks; ++b)
      multiply_blocks<1>(h + b * channels * 2 * W, x, y + b * 2 * W, channels, images, x_step, y_step);
  }

  // d[o][b] = (d[o][b] where `add`) + sum over images n of y[n][o] * conjugate(x[n][b]), for channels o and blocks b of
  // W channels in the lanes. d: (channels, blocks, 2 W).
  static void correlate(float* d, const float* y, const float* x, std::size_t channels, std::size_t blocks,
                        std::size_t images, std::size_t y_step, std::size_t x_step, bool add) {
    constexpr std::size_t rows = 4;  // divides W
    for (std::size_t o = 0; o < channels; o += rows) {
      const float* of_y = y + o / W * 2 * W + o % W;
      float* of_d = d + o * blocks * 2 * W;
      std::size_t b = 0;
      if constexpr (many_registers)
        for (; b + 2 <= blocks; b += 2)
          correlate_tile<rows, 2>(of_d + b * 2 * W, blocks, of_y, x + b * 2 * W, images, y_step, x_step, add);
      for (; b < blocks; ++b)
        correlate_tile<rows, 1>(of_d + b * 2 * W, blocks, of_y, x + b * 2 * W, images, y_step, x_step, add);
    }
  }

 private:
  template <std::size_t Blocks>
  static void multiply_blocks(const float* h, const float* x, float* y, std::size_t channels, std::size_t images,
                              std::size_t x_step, std::size_t y_step) {
    constexpr std::size_t most = many_registers ? 4 * 2 / Blocks : 4 / Blocks;
    std::size_t n = 0;
    for (; n + most <= images; n += most)
      multiply_tile<Blocks, most>(h, x + n * x_step, y + n * y_step, channels, x_step, y_step);
    for (; n < images; ++n) multiply_tile<Blocks, 1>(h, x + n * x_step, y + n * y_step, channels, x_step, y_step);
  }

  template <std::size_t Blocks, std::size_t Images>
  static void multiply_tile(const float* h, const float* x, float* y, std::size_t channels, std::size_t x_step,
                            std::size_t y_step) {
    sums<Images, Blocks> sum;
    for (std::size_t c = 0; c < channels; ++c) {
      const float* of_x = x + c / W * 2 * W + c % W;
      factor<Blocks> of_h;
      unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
        of_h.set(b, load<W>(h + (b * channels + c) * 2 * W), load<W>(h + (b * channels + c) * 2 * W + W));
      });
      unrolled<Images>([&](auto n) SOFTSCORE_INLINE_LAMBDA {
        sum.template add<n, 1>(of_h, of_x[n * x_step], of_x[n * x_step + W]);
      });
    }
    unrolled<Images>([&](auto n) SOFTSCORE_INLINE_LAMBDA {
      unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
        const simd_complex<W> total = sum.template total<n, b, 1>();
        store(y + n * y_step + b * 2 * W, total.re);
        store(y + n * y_step + b * 2 * W + W, total.im);
      });
    });
  }

  template <std::size_t Rows, std::size_t Blocks>
  static void correlate_tile(float* d, std::size_t d_blocks, const float* y, const float* x, std::size_t images,
                             std::size_t y_step, std::size_t x_step, bool add) {
    const std::size_t d_step = d_blocks * 2 * W;
    sums<Rows, Blocks> sum;
    for (std::size_t n = 0; n < images; ++n) {
      factor<Blocks, -1> of_x;  // conjugated
      unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
        of_x.set(b, load<W>(x + n * x_step + b * 2 * W), load<W>(x + n * x_step + b * 2 * W + W));
      });
      unrolled<Rows>([&](auto o) SOFTSCORE_INLINE_LAMBDA {
        sum.template add<o, -1>(of_x, y[n * y_step + o], y[n * y_step + o + W]);
      });
    }
    unrolled<Rows>([&](auto o) SOFTSCORE_INLINE_LAMBDA {
      unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
        const simd_complex<W> total = sum.template total<o, b, -1>();
        float* at = d + o * d_step + b * 2 * W;
        store(at, add ? load<W>(at) + total.re : total.re);
        store(at + W, add ? load<W>(at + W) + total.im : total.im);
      });
    });
  }

  // Numbers a + i Sign b, stored as a and b, and also their sums if three products are used.
  template <std::size_t Blocks, int Sign = 1>
  struct factor {
    simd<W> re[Blocks], im[Blocks], sum[many_registers ? Blocks : 1];

    SOFTSCORE_INLINE void set(std::size_t b, simd<W> real, simd<W> imaginary) {
      re[b] = real;
      im[b] = imaginary;
      if constexpr (many_registers) sum[b] = Sign > 0 ? real + imaginary : real - imaginary;
    }
  };

  // Sums of complex products, Rows by Blocks, stored as sums of products of numbers.
  template <std::size_t Rows, std::size_t Blocks>
  struct sums {
    static constexpr std::size_t parts = many_registers ? 3 : 2;
    simd<W> part[Rows][Blocks][parts] = {};

    // Row r += the factors times c + i d.
    template <std::size_t R, int Sign>
    SOFTSCORE_INLINE void add(const factor<Blocks, Sign>& f, const float& c, const float& d) {
      if constexpr (many_registers) {
        const simd<W> real = as_vector(broadcast<W>(c)), imaginary = as_vector(broadcast<W>(d));
        const simd<W> both = real + imaginary;
        unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
          part[R][b][0] += f.re[b] * real;
          part[R][b][1] += f.im[b] * imaginary;
          part[R][b][2] += f.sum[b] * both;
        });
      } else {
        unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
          part[R][b][0] += f.re[b] * c;
          part[R][b][1] += f.re[b] * d;
          if constexpr (Sign > 0) {
            part[R][b][0] -= f.im[b] * d;
            part[R][b][1] += f.im[b] * c;
          } else {
            part[R][b][0] += f.im[b] * d;
            part[R][b][1] -= f.im[b] * c;
          }
        });
      }
    }

    template <std::size_t R, std::size_t B, int Sign>
    SOFTSCORE_INLINE simd_complex<W> total() const {
      const auto& of = part[R][B];
      if constexpr (!many_registers)
        return {of[0], of[1]};
      else if constexpr (Sign > 0)
        return {of[0] - of[1], of[2] - (of[0] + of[1])};
      else
        return {of[0] + of[1], of[2] - (of[0] - of[1])};
    }
  };
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
