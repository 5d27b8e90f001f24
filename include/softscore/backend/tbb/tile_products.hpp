#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Products of matrices whose columns are channels in blocks of W: the sums over channels and over positions that every
// convolution ends with. Sums stay in registers, in tiles sized for 32 registers if W is 16, and for 16 otherwise. Each
// sum has one order in any tile: runs of neighbors are summed from zero, and then the runs are added, because the
// rounding of a sum grows with the number of its terms.
template <std::size_t W>
struct tile_products {
  static constexpr bool many_registers = W == 16;

  // Channels in two arrays; the first `of_first` channels are in one of them.
  struct two_parts {
    const float *first, *second;
    std::size_t of_first;

    two_parts operator+(std::size_t by) const { return {first + by, second + by, of_first}; }
  };

  // y[n][b] (set) = start[b] + addend[n][b] + sum over c of h[b][c] * x[n][c], for `count` positions n, `channels`
  // numbers c of x and `blocks` blocks b of W numbers of y. h: (blocks, channels, W); x, y: one position after another,
  // x_step and y_step apart; channel c of a position is at c / W * x_block + c % W, block b at b * y_block. start:
  // (blocks * W) or null; addend: in the order of y, or null. X: const float*, or two_parts.
  struct multiplication {
    const float* h;
    std::size_t channels, blocks;
    std::size_t x_step, x_block, y_step, y_block;
    const float* start;
  };
  template <class X>
  static void multiply(const multiplication& m, X x, float* y, std::size_t count, const float* addend = nullptr) {
    std::size_t b = 0;
    for (; b + 2 <= m.blocks; b += 2) multiply_blocks<2>(m, b, x, y, count, addend);
    for (; b < m.blocks; ++b) multiply_blocks<1>(m, b, x, y, count, addend);
  }

  // d[o][b] = (d[o][b] if `add`) + sum over positions n of y[n][o] * x[n][b], for `channels` numbers o of y (whole
  // blocks of W) and `blocks` blocks b of x. d: (channels, each beginning `row` blocks after the one before, W);
  // positions as above.
  struct correlation {
    std::size_t channels, blocks, row;
    std::size_t y_step, y_block, x_step, x_block;
  };
  static void correlate(const correlation& m, float* d, const float* y, const float* x, std::size_t count, bool add) {
    constexpr std::size_t rows = many_registers ? 8 : 4;  // divides W or is W
    for (std::size_t o = 0; o < m.channels; o += rows) {
      const float* of_y = y + o / W * m.y_block + o % W;
      std::size_t b = 0;
      for (; b + 2 <= m.blocks; b += 2)
        correlate_tile<rows, 2>(m, d + (o * m.row + b) * W, of_y, x + b * m.x_block, count, add);
      for (; b < m.blocks; ++b)
        correlate_tile<rows, 1>(m, d + (o * m.row + b) * W, of_y, x + b * m.x_block, count, add);
    }
  }

 private:
  static constexpr std::size_t channels_of_run = 32, places_of_run = 64;

  static const float* block_of(const float* x, std::size_t c, std::size_t x_block) { return x + c / W * x_block; }
  static const float* block_of(const two_parts& x, std::size_t c, std::size_t x_block) {
    return c < x.of_first ? x.first + c / W * x_block : x.second + (c - x.of_first) / W * x_block;
  }

  template <std::size_t Blocks, class X>
  static void multiply_blocks(const multiplication& m, std::size_t block, X x, float* y, std::size_t count,
                              const float* addend) {
    constexpr std::size_t most = many_registers ? 6 : 3;
    std::size_t n = 0;
    const auto tiles_of = [&](auto size) SOFTSCORE_INLINE_LAMBDA {
      for (; n + size <= count; n += size)
        multiply_tile<Blocks, size>(m, block, x + n * m.x_step, y + n * m.y_step,
                                    addend == nullptr ? nullptr : addend + n * m.y_step);
    };
    tiles_of(std::integral_constant<std::size_t, most>{});
    if constexpr (most > 3) tiles_of(std::integral_constant<std::size_t, 2>{});
    tiles_of(std::integral_constant<std::size_t, 1>{});
  }

  // Even and odd channels of a run are summed separately.
  template <std::size_t Blocks, std::size_t Places, class X>
  static void multiply_tile(const multiplication& m, std::size_t block, X x, float* y, const float* addend) {
    const auto each = [&](const auto& body) SOFTSCORE_INLINE_LAMBDA {
      unrolled<Places>([&](auto n) SOFTSCORE_INLINE_LAMBDA {
        unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA { body(n, b); });
      });
    };
    simd<W> even[Places][Blocks], odd[Places][Blocks] = {}, total[Places][Blocks] = {};
    unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA {
      const simd<W> start = m.start == nullptr ? simd<W>{} : load<W>(m.start + (block + b) * W);
      unrolled<Places>([&](auto n) SOFTSCORE_INLINE_LAMBDA { even[n][b] = start; });
    });
    const float* h = m.h + block * m.channels * W;
    for (std::size_t first = 0; first < m.channels; first += channels_of_run) {
      if (first > 0)
        each([&](auto n, auto b) SOFTSCORE_INLINE_LAMBDA {
          total[n][b] += even[n][b] + odd[n][b];
          even[n][b] = odd[n][b] = simd<W>{};
        });
      const std::size_t last = (std::min)(m.channels, first + channels_of_run);
      for (std::size_t c = first; c < last; c += W) {
        const float* of_x = block_of(x, c, m.x_block);
        for (std::size_t lane = 0; lane < W; lane += 2, h += 2 * W) {
          add_channel<Blocks, Places>(m, h, of_x + lane, even);
          add_channel<Blocks, Places>(m, h + W, of_x + lane + 1, odd);
        }
      }
    }
    each([&](auto n, auto b) SOFTSCORE_INLINE_LAMBDA {
      even[n][b] += odd[n][b];
      if (m.channels > channels_of_run) even[n][b] += total[n][b];
      const std::size_t at = n * m.y_step + (block + b) * m.y_block;
      if (addend != nullptr) even[n][b] += load<W>(addend + at);
      store(y + at, even[n][b]);
    });
  }

  template <std::size_t Blocks, std::size_t Places>
  SOFTSCORE_INLINE static void add_channel(const multiplication& m, const float* h, const float* x,
                                           simd<W> (&sum)[Places][Blocks]) {
    simd<W> of_h[Blocks];
    unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA { of_h[b] = load<W>(h + b * m.channels * W); });
    unrolled<Places>([&](auto n) SOFTSCORE_INLINE_LAMBDA {
      const float one = x[n * m.x_step];
      unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA { sum[n][b] += of_h[b] * one; });
    });
  }

  template <std::size_t Rows, std::size_t Blocks>
  static void correlate_tile(const correlation& m, float* d, const float* y, const float* x, std::size_t count,
                             bool add) {
    const auto each = [&](const auto& body) SOFTSCORE_INLINE_LAMBDA {
      unrolled<Rows>([&](auto o) SOFTSCORE_INLINE_LAMBDA {
        unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA { body(o, b, d + (o * m.row + b) * W); });
      });
    };
    for (std::size_t first = 0; first < count || first == 0; first += places_of_run) {
      simd<W> sum[Rows][Blocks] = {};
      const std::size_t last = (std::min)(count, first + places_of_run);
      for (std::size_t n = first; n < last; ++n, x += m.x_step, y += m.y_step) {
        simd<W> of_x[Blocks];
        unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA { of_x[b] = load<W>(x + b * m.x_block); });
        unrolled<Rows>([&](auto o) SOFTSCORE_INLINE_LAMBDA {
          unrolled<Blocks>([&](auto b) SOFTSCORE_INLINE_LAMBDA { sum[o][b] += of_x[b] * y[o]; });
        });
      }
      if (add || first > 0)
        each([&](auto o, auto b, const float* at) SOFTSCORE_INLINE_LAMBDA { sum[o][b] += load<W>(at); });
      each([&](auto o, auto b, float* at) SOFTSCORE_INLINE_LAMBDA { store(at, sum[o][b]); });
    }
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
