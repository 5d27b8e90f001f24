#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// One image with a border of zeros, so that no sum has to check its position: (blocks, height, width, lanes), including
// the border; lanes is 1 for channels in plain order.
struct padded_image {
  float* data;
  std::size_t channels, height, width, lanes;

  std::size_t row_step() const { return width * lanes; }
  std::size_t block_step() const { return height * row_step(); }
  std::size_t size() const { return channels / lanes * block_step(); }
  // Pixel (row, column) of the image with its border, in channel c.
  const float* at(std::size_t c, std::size_t row, std::size_t column) const {
    return data + c / lanes * block_step() + row * row_step() + column * lanes + c % lanes;
  }

  // Copies a part of an image, as much as there is room for, and puts zeros around it.
  struct part {
    std::size_t height, width;  // of the image
    std::size_t top, left;      // the first row and column that are copied
    std::size_t down, right;    // the row and column that they are copied to
  };
  void fill(const part& p, const float* image) const {
    const std::size_t rows = (std::min)(p.height - p.top, height - p.down),
                      columns = (std::min)(p.width - p.left, width - p.right);
    if (rows == 0) {
      std::fill_n(data, size(), 0.0f);
      return;
    }
    const std::size_t before = p.right * lanes, after = (width - p.right - columns) * lanes;
    float* to = data;
    const auto zeros = [&](std::size_t count) { to = std::fill_n(to, count, 0.0f); };
    for (std::size_t block = 0; block < channels / lanes; ++block, image += p.height * p.width * lanes) {
      const float* from = image + (p.top * p.width + p.left) * lanes;
      zeros(p.down * row_step() + before);
      for (std::size_t row = 0; row < rows; ++row, from += p.width * lanes) {
        to = std::copy_n(from, columns * lanes, to);
        zeros(row + 1 < rows ? after + before : after);  // the end of this row and the beginning of the next
      }
      zeros((height - p.down - rows) * row_step());
    }
  }
};

// The positions of a correlation: a kernel of `rows` x `columns` taps at every `stride`-th row and column of the padded
// image, from (top, left) on, `height` x `width` positions in all.
struct correlation_places {
  std::size_t rows, columns, stride, height, width;
  std::size_t top = 0, left = 0;

  std::size_t taps() const { return rows * columns; }
};

// The destination of the sums: the first position of the first channel or block, and the steps from there to the next
// ones.
struct correlation_target {
  float* data;
  std::size_t block, row, column;
};

// Calls body(first column, constant number of columns) for tiles that cover a row. A sum takes four steps before it can
// take the next product, so tiles with fewer columns waste time; this choice leaves as few of them as possible.
template <std::size_t W, class Body>
SOFTSCORE_INLINE void column_tiles(std::size_t width, const Body& body) {
  std::size_t column = 0;
  const auto tiles_of = [&](auto size, std::size_t until) SOFTSCORE_INLINE_LAMBDA {
    for (; column + size <= until; column += size) body(column, size);
  };
  // Whole tiles of 14 except for the last 15 or 16 columns, or of 8 except for the last 14 if there are few registers.
  if constexpr (W == 16) {
    const std::size_t rest = width % 14;
    tiles_of(std::integral_constant<std::size_t, 14>{},
             rest == 1 || rest == 2 ? width - (std::min)(width, 14 + rest) : width);
    tiles_of(std::integral_constant<std::size_t, 8>{}, width);
  } else {
    tiles_of(std::integral_constant<std::size_t, 8>{},
             width % 8 == 6 ? width - (std::min<std::size_t>)(width, 14) : width);
  }
  tiles_of(std::integral_constant<std::size_t, 7>{}, width);
  tiles_of(std::integral_constant<std::size_t, 4>{}, width);
  tiles_of(std::integral_constant<std::size_t, 2>{}, width);
  tiles_of(std::integral_constant<std::size_t, 1>{}, width);
}

// Correlation if the destination's channels are in blocks of W: to (blocks, height, width, W) = bias + sum over source
// channels c and taps of taps[block][c][tap] * from(c, place * stride + tap). taps: (blocks, channels, rows * columns,
// W); bias: (blocks * W) or null.
template <std::size_t W>
void correlate_to_blocks(const padded_image& from, const correlation_places& places, const float* taps,
                         const float* bias, std::size_t blocks, const correlation_target& target) {
  const std::size_t step = places.stride * from.lanes, across = target.column;
  for (std::size_t block = 0; block < blocks; ++block) {
    const float* of_block = taps + block * from.channels * places.taps() * W;
    const simd<W> start = bias == nullptr ? simd<W>{} : load<W>(bias + block * W);
    float* to = target.data + block * target.block;
    for (std::size_t row = 0; row < places.height; ++row, to += target.row)
      column_tiles<W>(places.width, [&](std::size_t column, auto size) {
        simd<W> sum[size];
        unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sum[t] = start; });
        const float* w = of_block;
        for (std::size_t c = 0; c < from.channels; ++c)
          for (std::size_t down = 0; down < places.rows; ++down) {
            const float* x = from.at(c, places.top + row * places.stride + down, places.left + column * places.stride);
            for (std::size_t right = 0; right < places.columns; ++right, w += W, x += from.lanes) {
              const simd<W> tap = load<W>(w);
              unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sum[t] += tap * x[t * step]; });
            }
          }
        unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { store(to + (column + t) * across, sum[t]); });
      });
  }
}

// The same if the source's channels are in blocks and the destination's are plain: to (channels, height, width). taps:
// (channels, source blocks, rows * columns, W).
template <std::size_t W>
void correlate_to_plain(const padded_image& from, const correlation_places& places, const float* taps,
                        const float* bias, std::size_t channels, const correlation_target& target) {
  const std::size_t step = places.stride * W, across = target.column;
  for (std::size_t o = 0; o < channels; ++o) {
    const float* of_channel = taps + o * from.channels * places.taps();
    const float start = bias == nullptr ? 0.0f : bias[o];
    float* to = target.data + o * target.block;
    for (std::size_t row = 0; row < places.height; ++row, to += target.row)
      column_tiles<W>(places.width, [&](std::size_t column, auto size) {
        simd<W> sum[size] = {};
        const float* w = of_channel;
        for (std::size_t c = 0; c < from.channels; c += W)
          for (std::size_t down = 0; down < places.rows; ++down) {
            const float* x = from.at(c, places.top + row * places.stride + down, places.left + column * places.stride);
            for (std::size_t right = 0; right < places.columns; ++right, w += W, x += W) {
              const simd<W> tap = load<W>(w);
              unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sum[t] += tap * load<W>(x + t * step); });
            }
          }
        unrolled<size>([&](auto t)
                           SOFTSCORE_INLINE_LAMBDA { to[(column + t) * across] = start + sum_of_lanes<W>(sum[t]); });
      });
  }
}

namespace correlate_parts {

// Calls body(first tap of the row, constant number of taps) for groups that cover a row of `columns` taps.
template <class Body>
SOFTSCORE_INLINE void tap_groups(std::size_t columns, const Body& body) {
  std::size_t first = 0;
  const auto groups_of = [&](auto size) SOFTSCORE_INLINE_LAMBDA {
    for (; first + size <= columns; first += size) body(first, size);
  };
  groups_of(std::integral_constant<std::size_t, 7>{});
  groups_of(std::integral_constant<std::size_t, 5>{});
  groups_of(std::integral_constant<std::size_t, 3>{});
  groups_of(std::integral_constant<std::size_t, 1>{});
}

// Calls body(first channel, constant number of channels) for groups of at most N that cover all channels.
template <std::size_t N, class Body>
SOFTSCORE_INLINE void channel_groups(std::size_t channels, const Body& body) {
  std::size_t c = 0;
  for (; c + N <= channels; c += N) body(c, std::integral_constant<std::size_t, N>{});
  if constexpr (N > 1)
    for (; c < channels; ++c) body(c, std::integral_constant<std::size_t, 1>{});
}

// The number of channels that are summed at once with such a group of taps, so that their independent sums fill the
// registers. The channels of a group are in one block of W.
template <std::size_t W, std::size_t Taps>
inline constexpr std::size_t at_once = (std::min<std::size_t>)(W, Taps == 1              ? 8
                                                                  : Taps == 3            ? 4
                                                                  : W == 16 || Taps == 5 ? 2
                                                                                         : 1);

}  // namespace correlate_parts

// The gradient of the taps of `correlate_to_blocks`: dtaps (blocks, channels, rows * columns, W) += sum over places of
// dy (blocks, height, width, W) * from(c, place * stride + tap).
template <std::size_t W>
void correlate_gradient_to_blocks(const padded_image& from, const correlation_places& places, const float* dy,
                                  std::size_t blocks, float* dtaps) {
  using namespace correlate_parts;
  const std::size_t step = places.stride * from.lanes, next = from.lanes == 1 ? from.block_step() : 1;
  for (std::size_t block = 0; block < blocks; ++block)
    for (std::size_t down = 0; down < places.rows; ++down)
      tap_groups(places.columns, [&](std::size_t right, auto size) {
        constexpr std::size_t group = decltype(size)::value;
        channel_groups<at_once<W, group>>(from.channels, [&](std::size_t c, auto count) {
          float* at = dtaps + (((block * from.channels + c) * places.rows + down) * places.columns + right) * W;
          const float* d = dy + block * places.height * places.width * W;
          simd<W> sum[decltype(count)::value][group];
          const auto each = [&](const auto& body) SOFTSCORE_INLINE_LAMBDA {
            unrolled<decltype(count)::value>([&](auto k) SOFTSCORE_INLINE_LAMBDA {
              unrolled<group>([&](auto t) SOFTSCORE_INLINE_LAMBDA { body(k, t); });
            });
          };
          each([&](auto k, auto t) SOFTSCORE_INLINE_LAMBDA { sum[k][t] = load<W>(at + (k * places.taps() + t) * W); });
          for (std::size_t row = 0; row < places.height; ++row) {
            const float* x = from.at(c, row * places.stride + down, right);
            for (std::size_t column = 0; column < places.width; ++column, d += W, x += step) {
              const simd<W> of_pixel = load<W>(d);
              each([&](auto k, auto t)
                       SOFTSCORE_INLINE_LAMBDA { sum[k][t] += of_pixel * x[k * next + t * from.lanes]; });
            }
          }
          each([&](auto k, auto t) SOFTSCORE_INLINE_LAMBDA { store(at + (k * places.taps() + t) * W, sum[k][t]); });
        });
      });
}

// The gradient of the taps of `correlate_to_plain`: dtaps (channels, source blocks, rows * columns, W) += sum over
// places of dy (channels, height, width) * from(block, place * stride + tap).
template <std::size_t W>
void correlate_gradient_to_plain(const padded_image& from, const correlation_places& places, const float* dy,
                                 std::size_t channels, float* dtaps) {
  const std::size_t step = places.stride * W;
  for (std::size_t o = 0; o < channels; ++o)
    for (std::size_t c = 0; c < from.channels; c += W)
      for (std::size_t down = 0; down < places.rows; ++down)
        correlate_parts::tap_groups(places.columns, [&](std::size_t right, auto size) {
          float* at = dtaps + (o * from.channels + c) * places.taps() + (down * places.columns + right) * W;
          const float* d = dy + o * places.height * places.width;
          simd<W> sum[size];
          unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sum[t] = load<W>(at + t * W); });
          for (std::size_t row = 0; row < places.height; ++row) {
            const float* x = from.at(c, row * places.stride + down, right);
            for (std::size_t column = 0; column < places.width; ++column, ++d, x += step)
              unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sum[t] += load<W>(x + t * W) * *d; });
          }
          unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { store(at + t * W, sum[t]); });
        });
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
