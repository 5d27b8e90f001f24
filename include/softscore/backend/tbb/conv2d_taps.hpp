#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// One channel of an image: its first pixel, and how far apart neighbors are: 1 in plain order, else the lanes of a
// block.
template <class T>
struct channel_plane {
  T* data;
  std::size_t step;
};

// The pairs that one tap of a kernel makes: output pixel (row, column) with input pixel (row stride + down, column
// stride + right), where both exist.
struct tap_pairs {
  std::size_t height, width;          // of the input
  std::size_t out_height, out_width;  // of the output
  std::size_t stride;
  std::ptrdiff_t down, right;

  tap_pairs(const conv2d_shape& s, std::size_t row, std::size_t column)
      : height{s.height},
        width{s.width},
        out_height{s.out_height()},
        out_width{s.out_width()},
        stride{s.stride},
        down{static_cast<std::ptrdiff_t>(row) - static_cast<std::ptrdiff_t>(s.border().top)},
        right{static_cast<std::ptrdiff_t>(column) - static_cast<std::ptrdiff_t>(s.border().left)} {}

  std::size_t first_row() const { return first(down); }
  std::size_t last_row() const { return end(height, out_height, down); }
  std::size_t first_column() const { return first(right); }
  std::size_t last_column() const { return end(width, out_width, right); }
  // From the first pixel of the input to the one that belongs to the row's column 0, which need not exist.
  std::ptrdiff_t input_row(std::size_t row) const {
    return (static_cast<std::ptrdiff_t>(row * stride) + down) * static_cast<std::ptrdiff_t>(width) + right;
  }

  // Calls body(step of the output, step of the input): from one pair of a row to the next, as constants where both are
  // 1, so that the common loop can be vectorized.
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
    const std::size_t begin = first_column(), last = last_column();
    if (begin >= last) return;
    for (std::size_t r = first_row(); r < last_row(); ++r)
      body(out.data + (r * out_width + begin) * out.step,
           in.data + static_cast<std::size_t>(input_row(r) + static_cast<std::ptrdiff_t>(begin * stride)) * in.step,
           last - begin);
  }

 private:
  std::size_t first(std::ptrdiff_t shift) const {
    return shift >= 0 ? 0 : (static_cast<std::size_t>(-shift) + stride - 1) / stride;
  }
  std::size_t end(std::size_t extent, std::size_t out_extent, std::ptrdiff_t shift) const {
    const std::ptrdiff_t inside = static_cast<std::ptrdiff_t>(extent) - shift;  // inputs at or after the shift
    if (inside <= 0) return 0;
    return (std::min)(out_extent, (static_cast<std::size_t>(inside) + stride - 1) / stride);
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
  constexpr std::size_t lanes = 8;  // running sums, so that the adds do not wait for each other
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
