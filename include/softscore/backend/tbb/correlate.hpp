#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// One image with a border of zeros, `radius` wide, so that no sum asks where it is: (blocks, height + 2 radius,
// width + 2 radius, lanes); lanes is 1 for channels in plain order.
struct padded_image {
  float* data;
  std::size_t channels, height, width, radius, lanes;

  std::size_t row_step() const { return (width + 2 * radius) * lanes; }
  std::size_t block_step() const { return (height + 2 * radius) * row_step(); }
  std::size_t size() const { return channels / lanes * block_step(); }
  // Pixel (row, column) of the image with its border, in channel c.
  const float* at(std::size_t c, std::size_t row, std::size_t column) const {
    return data + c / lanes * block_step() + row * row_step() + column * lanes + c % lanes;
  }

  void fill(const float* image) const {
    float* to = data;
    const auto zeros = [&](std::size_t count) { to = std::fill_n(to, count, 0.0f); };
    const std::size_t side = radius * lanes;
    for (std::size_t block = 0; block < channels / lanes; ++block) {
      zeros(radius * row_step() + side);
      for (std::size_t row = 0; row < height; ++row, image += width * lanes) {
        to = std::copy_n(image, width * lanes, to);
        zeros(row + 1 < height ? 2 * side : side);  // the end of this row and the beginning of the next
      }
      zeros(radius * row_step());
    }
  }
  // The same of an image whose pixels go to every `stride`-th row and column, with zeros between.
  void spread(const float* image, std::size_t stride) const {
    std::fill_n(data, size(), 0.0f);
    for (std::size_t block = 0; block < channels / lanes; ++block)
      for (std::size_t row = 0; row < height; row += stride)
        for (std::size_t column = 0; column < width; column += stride, image += lanes)
          std::copy_n(image, lanes,
                      data + block * block_step() + (row + radius) * row_step() + (column + radius) * lanes);
  }
};

// What is correlated: a k x k kernel at every `stride`-th row and column, `height` x `width` places in all.
struct correlation_places {
  std::size_t k, stride, height, width;
};

// Calls body(first column, constant number of columns) for tiles that cover a row.
template <std::size_t W, class Body>
SOFTSCORE_INLINE void column_tiles(std::size_t width, const Body& body) {
  std::size_t column = 0;
  const auto tiles_of = [&](auto size) SOFTSCORE_INLINE_LAMBDA {
    for (; column + size <= width; column += size) body(column, size);
  };
  if constexpr (W == 16) tiles_of(std::integral_constant<std::size_t, 14>{});
  tiles_of(std::integral_constant<std::size_t, 8>{});
  tiles_of(std::integral_constant<std::size_t, 4>{});
  tiles_of(std::integral_constant<std::size_t, 1>{});
}

// Correlation where the destination's channels are in blocks of W: to (blocks, height, width, W) = bias + sum over
// source channels c and taps of taps[block][c][tap] * from(c, place * stride + tap). taps: (blocks, channels, k * k,
// W); bias: (blocks * W) or null.
template <std::size_t W>
void correlate_to_blocks(const padded_image& from, const correlation_places& places, const float* taps,
                         const float* bias, std::size_t blocks, float* to) {
  const std::size_t k = places.k, step = places.stride * from.lanes;
  for (std::size_t block = 0; block < blocks; ++block) {
    const float* of_block = taps + block * from.channels * k * k * W;
    const simd<W> start = bias == nullptr ? simd<W>{} : load<W>(bias + block * W);
    for (std::size_t row = 0; row < places.height; ++row, to += places.width * W)
      column_tiles<W>(places.width, [&](std::size_t column, auto size) {
        simd<W> sum[size];
        unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sum[t] = start; });
        const float* w = of_block;
        for (std::size_t c = 0; c < from.channels; ++c)
          for (std::size_t down = 0; down < k; ++down) {
            const float* x = from.at(c, row * places.stride + down, column * places.stride);
            for (std::size_t right = 0; right < k; ++right, w += W, x += from.lanes) {
              const simd<W> tap = load<W>(w);
              unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sum[t] += tap * x[t * step]; });
            }
          }
        unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { store(to + (column + t) * W, sum[t]); });
      });
  }
}

// The same where the source's channels are in blocks and the destination's are plain: to (channels, height, width).
// taps: (channels, source blocks, k * k, W).
template <std::size_t W>
void correlate_to_plain(const padded_image& from, const correlation_places& places, const float* taps,
                        const float* bias, std::size_t channels, float* to) {
  const std::size_t k = places.k, step = places.stride * W;
  for (std::size_t o = 0; o < channels; ++o) {
    const float* of_channel = taps + o * from.channels * k * k;
    const float start = bias == nullptr ? 0.0f : bias[o];
    for (std::size_t row = 0; row < places.height; ++row, to += places.width)
      column_tiles<W>(places.width, [&](std::size_t column, auto size) {
        simd<W> sum[size] = {};
        const float* w = of_channel;
        for (std::size_t c = 0; c < from.channels; c += W)
          for (std::size_t down = 0; down < k; ++down) {
            const float* x = from.at(c, row * places.stride + down, column * places.stride);
            for (std::size_t right = 0; right < k; ++right, w += W, x += W) {
              const simd<W> tap = load<W>(w);
              unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sum[t] += tap * load<W>(x + t * step); });
            }
          }
        unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { to[column + t] = start + sum_of_lanes<W>(sum[t]); });
      });
  }
}

namespace correlate_parts {

// Calls body(first tap of the row, constant number of taps) for groups that cover a row of k taps.
template <class Body>
SOFTSCORE_INLINE void tap_groups(std::size_t k, const Body& body) {
  std::size_t first = 0;
  const auto groups_of = [&](auto size) SOFTSCORE_INLINE_LAMBDA {
    for (; first + size <= k; first += size) body(first, size);
  };
  groups_of(std::integral_constant<std::size_t, 7>{});
  groups_of(std::integral_constant<std::size_t, 5>{});
  groups_of(std::integral_constant<std::size_t, 3>{});
  groups_of(std::integral_constant<std::size_t, 1>{});
}

}  // namespace correlate_parts

// The gradient of the taps of `correlate_to_blocks`: dtaps (blocks, channels, k * k, W) += sum over places of
// dy (blocks, height, width, W) * from(c, place * stride + tap).
template <std::size_t W>
void correlate_gradient_to_blocks(const padded_image& from, const correlation_places& places, const float* dy,
                                  std::size_t blocks, float* dtaps) {
  const std::size_t k = places.k, step = places.stride * from.lanes;
  for (std::size_t block = 0; block < blocks; ++block)
    for (std::size_t c = 0; c < from.channels; ++c)
      for (std::size_t down = 0; down < k; ++down)
        correlate_parts::tap_groups(k, [&](std::size_t right, auto size) {
          float* at = dtaps + (((block * from.channels + c) * k + down) * k + right) * W;
          const float* d = dy + block * places.height * places.width * W;
          simd<W> sum[size];
          unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sum[t] = load<W>(at + t * W); });
          for (std::size_t row = 0; row < places.height; ++row) {
            const float* x = from.at(c, row * places.stride + down, right);
            for (std::size_t column = 0; column < places.width; ++column, d += W, x += step) {
              const simd<W> of_pixel = load<W>(d);
              unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sum[t] += of_pixel * x[t * from.lanes]; });
            }
          }
          unrolled<size>([&](auto t) SOFTSCORE_INLINE_LAMBDA { store(at + t * W, sum[t]); });
        });
}

// The gradient of the taps of `correlate_to_plain`: dtaps (channels, source blocks, k * k, W) += sum over places of
// dy (channels, height, width) * from(block, place * stride + tap).
template <std::size_t W>
void correlate_gradient_to_plain(const padded_image& from, const correlation_places& places, const float* dy,
                                 std::size_t channels, float* dtaps) {
  const std::size_t k = places.k, step = places.stride * W;
  for (std::size_t o = 0; o < channels; ++o)
    for (std::size_t c = 0; c < from.channels; c += W)
      for (std::size_t down = 0; down < k; ++down)
        correlate_parts::tap_groups(k, [&](std::size_t right, auto size) {
          float* at = dtaps + (o * from.channels + c) * k * k + (down * k + right) * W;
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
