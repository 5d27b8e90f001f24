#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// One channel of an image: its first pixel, and the distance between neighbors: 1 in plain order, otherwise the lanes
// of a block.
template <class T>
struct channel_plane {
  T* data;
  std::size_t step;
};

// The range of outputs that a tap meets along one side of the image, `first` .. `last` - 1, and the offset from an
// output times the stride to its input.
struct tap_range {
  std::size_t first, last;
  std::ptrdiff_t shift;

  tap_range(std::size_t tap, std::size_t before, std::size_t extent, std::size_t out_extent, std::size_t stride)
      : first{tap < before ? (before - tap + stride - 1) / stride : 0},
        last{(std::min)(out_extent, tap < before + extent ? (before + extent - tap - 1) / stride + 1 : 0)},
        shift{static_cast<std::ptrdiff_t>(tap) - static_cast<std::ptrdiff_t>(before)} {}
};

// The pairs of an output pixel and an input pixel that one tap of a kernel connects.
struct tap_pairs {
  tap_range rows, columns;
  std::size_t width, out_width, stride;

  // Calls body(step of the output, step of the input), the steps from one pair of a row to the next. They are constants
  // if both are 1, so that the common loop can be vectorized.
  template <class Body>
  void with_steps(std::size_t out_step, std::size_t in_step, const Body& body) const {
    if (stride * in_step == 1 && out_step == 1)
      body(std::integral_constant<std::size_t, 1>{}, std::integral_constant<std::size_t, 1>{});
    else
      body(out_step, stride * in_step);
  }
  // Calls body(first pixel of the output, first pixel of the input, pairs) for every row.
  template <class Out, class In, class Body>
  void each_row(channel_plane<Out> out, channel_plane<In> in, const Body& body) const {
    if (columns.first >= columns.last || rows.first >= rows.last) return;
    const std::size_t count = columns.last - columns.first;
    Out* to = out.data + (rows.first * out_width + columns.first) * out.step;
    In* from = in.data + (at(rows.first, rows.shift) * width + at(columns.first, columns.shift)) * in.step;
    for (std::size_t row = rows.first;; to += out_width * out.step, from += stride * width * in.step) {
      body(to, from, count);
      if (++row == rows.last) return;  // before an address past the image is computed
    }
  }

 private:
  std::size_t at(std::size_t output, std::ptrdiff_t shift) const {
    return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(output * stride) + shift);
  }
};

// out += factor * in, over the pairs.
template <class T>
void add_from_input(const tap_pairs& p, T factor, channel_plane<const T> in, channel_plane<T> out) {
  p.with_steps(out.step, in.step, [&](auto out_step, auto in_step) {
    p.each_row(out, in, [&](T* to, const T* from, std::size_t count) {
      for (std::size_t c = 0; c < count; ++c) to[c * out_step] += factor * from[c * in_step];
    });
  });
}

// in += factor * out, over the pairs.
template <class T>
void add_from_output(const tap_pairs& p, T factor, channel_plane<const T> out, channel_plane<T> in) {
  p.with_steps(out.step, in.step, [&](auto out_step, auto in_step) {
    p.each_row(out, in, [&](const T* from, T* to, std::size_t count) {
      for (std::size_t c = 0; c < count; ++c) to[c * in_step] += factor * from[c * out_step];
    });
  });
}

// The sum of out * in, over the pairs.
template <class T>
T dot_of_pairs(const tap_pairs& p, channel_plane<const T> out, channel_plane<const T> in) {
  constexpr std::size_t lanes = 8;  // running sums, so that the additions do not wait for each other
  T sum[lanes] = {};
  p.with_steps(out.step, in.step, [&](auto out_step, auto in_step) {
    p.each_row(out, in, [&](const T* left, const T* right, std::size_t count) {
      std::size_t c = 0;
      for (; c + lanes <= count; c += lanes)
        for (std::size_t k = 0; k < lanes; ++k) sum[k] += left[(c + k) * out_step] * right[(c + k) * in_step];
      for (std::size_t k = 0; c < count; ++c, ++k) sum[k] += left[c * out_step] * right[c * in_step];
    });
  });
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
