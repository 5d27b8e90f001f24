#pragma once

#include <cstddef>

#include <softscore/backend/tbb/simd.hpp>

namespace softscore::detail {

// Products of spectra at one frequency. Channels lie in blocks: W real parts, then W imaginary parts. Every loop below
// keeps its sums in registers, so the tiles are sized for 32 registers where W is 16 and for 16 elsewhere.
template <std::size_t W>
struct frequency_products {
  static constexpr bool many_registers = W == 16;

  // y[n][b] (set) = sum over channels c of h[b][c] * x[n][c], complex, for `images` images n and `blocks` output blocks
  // b of W channels in the lanes. h: (blocks, channels, 2 W); x, y: one image after the other, x_step and y_step apart.
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
    simd<W> re[Images][Blocks] = {}, im[Images][Blocks] = {};
    for (std::size_t c = 0; c < channels; ++c) {
      const float* of_x = x + c / W * 2 * W + c % W;
      simd<W> h_re[Blocks], h_im[Blocks];
      unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
        h_re[b] = load<W>(h + (b * channels + c) * 2 * W);
        h_im[b] = load<W>(h + (b * channels + c) * 2 * W + W);
      });
      unrolled<Images>([&](auto n) SOFTSCORE_INLINE_LAMBDA {
        const float x_re = of_x[n * x_step], x_im = of_x[n * x_step + W];
        unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
          re[n][b] += h_re[b] * x_re;
          re[n][b] -= h_im[b] * x_im;
          im[n][b] += h_re[b] * x_im;
          im[n][b] += h_im[b] * x_re;
        });
      });
    }
    unrolled<Images>([&](auto n) SOFTSCORE_INLINE_LAMBDA {
      unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
        store(y + n * y_step + b * 2 * W, re[n][b]);
        store(y + n * y_step + b * 2 * W + W, im[n][b]);
      });
    });
  }

  template <std::size_t Rows, std::size_t Blocks>
  static void correlate_tile(float* d, std::size_t d_blocks, const float* y, const float* x, std::size_t images,
                             std::size_t y_step, std::size_t x_step, bool add) {
    const std::size_t d_step = d_blocks * 2 * W;
    simd<W> re[Rows][Blocks] = {}, im[Rows][Blocks] = {};
    for (std::size_t n = 0; n < images; ++n) {
      simd<W> x_re[Blocks], x_im[Blocks];
      unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
        x_re[b] = load<W>(x + n * x_step + b * 2 * W);
        x_im[b] = load<W>(x + n * x_step + b * 2 * W + W);
      });
      unrolled<Rows>([&](auto o) SOFTSCORE_INLINE_LAMBDA {
        const float y_re = y[n * y_step + o], y_im = y[n * y_step + o + W];
        unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
          re[o][b] += x_re[b] * y_re;
          re[o][b] += x_im[b] * y_im;
          im[o][b] += x_re[b] * y_im;
          im[o][b] -= x_im[b] * y_re;
        });
      });
    }
    unrolled<Rows>([&](auto o) SOFTSCORE_INLINE_LAMBDA {
      unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
        float* at = d + o * d_step + b * 2 * W;
        store(at, add ? load<W>(at) + re[o][b] : re[o][b]);
        store(at + W, add ? load<W>(at + W) + im[o][b] : im[o][b]);
      });
    });
  }
};

}  // namespace softscore::detail
