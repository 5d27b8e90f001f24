#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// The pairs that one tap of a kernel makes: output pixel (row, column) with input pixel (row stride + down, column
// stride + right), where both exist.
struct tap_pairs {
  std::size_t height, width;          // of the input
  std::size_t out_height, out_width;  // of the output
  std::size_t stride;
  std::ptrdiff_t down, right;

  std::size_t first_row() const { return first(down); }
  std::size_t last_row() const { return end(height, out_height, down); }
  std::size_t first_column() const { return first(right); }
  std::size_t last_column() const { return end(width, out_width, right); }
  // From the first pixel of the input to the one that belongs to the row's column 0, which need not exist.
  std::ptrdiff_t input_row(std::size_t row) const {
    return (static_cast<std::ptrdiff_t>(row * stride) + down) * static_cast<std::ptrdiff_t>(width) + right;
  }

  // Calls body with the stride, as a constant where it is 1, so that the common loop can be vectorized.
  template <class Body>
  void with_stride(const Body& body) const {
    if (stride == 1)
      body(std::integral_constant<std::ptrdiff_t, 1>{});
    else
      body(static_cast<std::ptrdiff_t>(stride));
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
void add_from_input(const tap_pairs& p, T factor, const T* in, T* out) {
  p.with_stride([&](auto stride) {
    for (std::size_t r = p.first_row(); r < p.last_row(); ++r) {
      T* to = out + r * p.out_width;
      const T* from = in + p.input_row(r);
      for (std::size_t c = p.first_column(); c < p.last_column(); ++c)
        to[c] += factor * from[static_cast<std::ptrdiff_t>(c) * stride];
    }
  });
}

// in += factor * out, over the pairs.
template <class T>
void add_from_output(const tap_pairs& p, T factor, const T* out, T* in) {
  p.with_stride([&](auto stride) {
    for (std::size_t r = p.first_row(); r < p.last_row(); ++r) {
      const T* from = out + r * p.out_width;
      T* to = in + p.input_row(r);
      for (std::size_t c = p.first_column(); c < p.last_column(); ++c)
        to[static_cast<std::ptrdiff_t>(c) * stride] += factor * from[c];
    }
  });
}

// The sum of out * in, over the pairs.
template <class T>
T dot_of_pairs(const tap_pairs& p, const T* out, const T* in) {
  constexpr std::size_t lanes = 8;  // running sums, so that the adds do not wait for each other
  T sum[lanes] = {};
  p.with_stride([&](auto stride) {
    for (std::size_t r = p.first_row(); r < p.last_row(); ++r) {
      const T* left = out + r * p.out_width;
      const T* right = in + p.input_row(r);
      const auto product = [&](std::size_t c) { return left[c] * right[static_cast<std::ptrdiff_t>(c) * stride]; };
      std::size_t c = p.first_column();
      for (; c + lanes <= p.last_column(); c += lanes)
        for (std::size_t k = 0; k < lanes; ++k) sum[k] += product(c + k);
      for (std::size_t k = 0; c < p.last_column(); ++c, ++k) sum[k] += product(c);
    }
  });
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

// Calls body(o, i, weight index, pairs) for every weight: the tap at (row, column) of the kernel pairs an output pixel
// with the input pixel (row, column) - radius past the one under the kernel's center.
template <class Body>
void each_tap(const conv2d_shape& s, const Body& body) {
  const auto radius = static_cast<std::ptrdiff_t>(s.radius());
  std::size_t index = 0;
  for (std::size_t o = 0; o < s.out_channels; ++o)
    for (std::size_t i = 0; i < s.in_channels; ++i)
      for (std::size_t row = 0; row < s.kernel; ++row)
        for (std::size_t column = 0; column < s.kernel; ++column, ++index)
          body(o, i, index,
               tap_pairs{s.height, s.width, s.out_height(), s.out_width(), s.stride,
                         static_cast<std::ptrdiff_t>(row) - radius, static_cast<std::ptrdiff_t>(column) - radius});
}

// One image: y = weight * x + bias.
template <class T>
void conv2d_image_forward(const conv2d_shape& s, const T* x, const T* weight, const T* bias, T* y) {
  const std::size_t in = s.input(1).plane(), out = s.output(1).plane();
  for (std::size_t o = 0; o < s.out_channels; ++o) std::fill_n(y + o * out, out, bias[o]);
  each_tap(s, [&](std::size_t o, std::size_t i, std::size_t w, const tap_pairs& p) {
    add_from_input(p, weight[w], x + i * in, y + o * out);
  });
}

// One image: dx = weight^T * dy.
template <class T>
void conv2d_image_input_gradient(const conv2d_shape& s, const T* weight, const T* dy, T* dx) {
  const std::size_t in = s.input(1).plane(), out = s.output(1).plane();
  std::fill_n(dx, s.in_channels * in, T{});
  each_tap(s, [&](std::size_t o, std::size_t i, std::size_t w, const tap_pairs& p) {
    add_from_output(p, weight[w], dy + o * out, dx + i * in);
  });
}

// One image: adds its share of the gradients to dweight and dbias.
template <class T>
void conv2d_image_weight_gradient(const conv2d_shape& s, const T* x, const T* dy, T* dweight, T* dbias) {
  const std::size_t in = s.input(1).plane(), out = s.output(1).plane();
  each_tap(s, [&](std::size_t o, std::size_t i, std::size_t w, const tap_pairs& p) {
    dweight[w] += dot_of_pairs(p, dy + o * out, x + i * in);
  });
  for (std::size_t o = 0; o < s.out_channels; ++o)
    for (std::size_t k = 0; k < out; ++k) dbias[o] += dy[o * out + k];
}

}  // namespace detail

/// The serial operations need no scratch.
struct serial_scratch {};
template <class T>
serial_scratch make_scratch(serial_backend&) {
  return {};
}

/// What a convolution on the serial backend keeps between calls: its sizes.
template <class T>
struct serial_conv2d {
  conv2d_shape sizes;
};

/// Plans a convolution; throws `error` for sizes that no convolution has.
template <class T>
serial_conv2d<T> make_conv2d(serial_backend&, const conv2d_shape& sizes, serial_scratch = {}) {
  require_valid(sizes);
  return {sizes};
}

/// To be called after the weights changed and before the next forward or backward pass.
template <class T>
void conv2d_prepare(serial_backend&, serial_conv2d<T>&, const_view<T, host_space> /*(O,I,k,k)*/) {}

/// y (N,O,H',W') = weight (O,I,k,k) * x (N,I,H,W) + bias (O); H' and W' are H and W over the stride, rounded up.
template <class T>
void conv2d_forward(serial_backend&, serial_conv2d<T>& plan, const_view<T, host_space> x,
                    const_view<T, host_space> weight, const_view<T, host_space> bias, view<T, host_space> y) {
  for (std::size_t n = 0; n < x.extent().images; ++n)
    detail::conv2d_image_forward(plan.sizes, x.image(n).data(), raw(weight), raw(bias), y.image(n).data());
}

/// The gradients of a loss with respect to x, weight and bias, from dy, that with respect to y. They are set, not added
/// to; dx, or dweight together with dbias, may be empty and is then skipped.
template <class T>
void conv2d_backward(serial_backend&, serial_conv2d<T>& plan, const_view<T, host_space> x,
                     const_view<T, host_space> weight, const_view<T, host_space> dy, view<T, host_space> dx,
                     view<T, host_space> dweight, view<T, host_space> dbias) {
  const std::size_t images = dy.extent().images;
  if (!dx.empty())
    for (std::size_t n = 0; n < images; ++n)
      detail::conv2d_image_input_gradient(plan.sizes, raw(weight), dy.image(n).data(), dx.image(n).data());
  if (!dweight.empty()) {
    std::fill_n(raw(dweight), dweight.size(), T{});
    std::fill_n(raw(dbias), dbias.size(), T{});
    for (std::size_t n = 0; n < images; ++n)
      detail::conv2d_image_weight_gradient(plan.sizes, x.image(n).data(), dy.image(n).data(), raw(dweight), raw(dbias));
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
