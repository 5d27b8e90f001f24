#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/serial/backend.hpp>

namespace softscore {

namespace detail {

// One plane of an image, and the pairs of pixels (row, column) and (row + down, column + right) that lie inside it.
struct shifted_plane {
  std::size_t height, width;
  std::ptrdiff_t down, right;

  std::size_t first_row() const { return static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, -down)); }
  std::size_t last_row() const { return end(height, down); }
  std::size_t first_column() const { return static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, -right)); }
  std::size_t last_column() const { return end(width, right); }
  std::ptrdiff_t offset() const { return down * static_cast<std::ptrdiff_t>(width) + right; }

 private:
  static std::size_t end(std::size_t extent, std::ptrdiff_t shift) {
    const auto n = static_cast<std::ptrdiff_t>(extent);
    return static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(n - shift, 0, n));
  }
};

// to(r, c) += factor * from(r + down, c + right) wherever both exist.
template <class T>
void add_shifted(const shifted_plane& p, T factor, const T* from, T* to) {
  for (std::size_t r = p.first_row(); r < p.last_row(); ++r) {
    T* out = to + r * p.width;
    const T* in = from + (static_cast<std::ptrdiff_t>(r * p.width) + p.offset());
    for (std::size_t c = p.first_column(); c < p.last_column(); ++c) out[c] += factor * in[c];
  }
}

// The sum of a(r, c) * b(r + down, c + right) wherever both exist.
template <class T>
T dot_shifted(const shifted_plane& p, const T* a, const T* b) {
  constexpr std::size_t lanes = 8;  // running sums, so that the adds do not wait for each other
  T sum[lanes] = {};
  for (std::size_t r = p.first_row(); r < p.last_row(); ++r) {
    const T* left = a + r * p.width;
    const T* right = b + (static_cast<std::ptrdiff_t>(r * p.width) + p.offset());
    std::size_t c = p.first_column();
    for (; c + lanes <= p.last_column(); c += lanes)
      for (std::size_t k = 0; k < lanes; ++k) sum[k] += left[c + k] * right[c + k];
    for (std::size_t k = 0; c < p.last_column(); ++c, ++k) sum[k] += left[c] * right[c];
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

// Calls body(o, i, weight index, shifted plane) for every weight: the tap at (row, column) of the kernel pairs output
// pixel p with input pixel p + (row, column) - radius.
template <class Body>
void each_tap(const conv2d_shape& s, const Body& body) {
  const auto radius = static_cast<std::ptrdiff_t>(s.radius());
  std::size_t index = 0;
  for (std::size_t o = 0; o < s.out_channels; ++o)
    for (std::size_t i = 0; i < s.in_channels; ++i)
      for (std::size_t row = 0; row < s.kernel; ++row)
        for (std::size_t column = 0; column < s.kernel; ++column, ++index)
          body(o, i, index,
               shifted_plane{s.height, s.width, static_cast<std::ptrdiff_t>(row) - radius,
                             static_cast<std::ptrdiff_t>(column) - radius});
}

// One image: y = weight * x + bias.
template <class T>
void conv2d_image_forward(const conv2d_shape& s, const T* x, const T* weight, const T* bias, T* y) {
  const std::size_t plane = s.height * s.width;
  for (std::size_t o = 0; o < s.out_channels; ++o) std::fill_n(y + o * plane, plane, bias[o]);
  each_tap(s, [&](std::size_t o, std::size_t i, std::size_t w, const shifted_plane& p) {
    add_shifted(p, weight[w], x + i * plane, y + o * plane);
  });
}

// One image: dx = weight^T * dy.
template <class T>
void conv2d_image_input_gradient(const conv2d_shape& s, const T* weight, const T* dy, T* dx) {
  const std::size_t plane = s.height * s.width;
  std::fill_n(dx, s.in_channels * plane, T{});
  each_tap(s, [&](std::size_t o, std::size_t i, std::size_t w, const shifted_plane& p) {
    add_shifted({p.height, p.width, -p.down, -p.right}, weight[w], dy + o * plane, dx + i * plane);
  });
}

// One image: adds its share of the gradients to dweight and dbias.
template <class T>
void conv2d_image_weight_gradient(const conv2d_shape& s, const T* x, const T* dy, T* dweight, T* dbias) {
  const std::size_t plane = s.height * s.width;
  each_tap(s, [&](std::size_t o, std::size_t i, std::size_t w, const shifted_plane& p) {
    dweight[w] += dot_shifted(p, dy + o * plane, x + i * plane);
  });
  for (std::size_t o = 0; o < s.out_channels; ++o)
    for (std::size_t k = 0; k < plane; ++k) dbias[o] += dy[o * plane + k];
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

/// y (N,O,H,W) = weight (O,I,k,k) * x (N,I,H,W) + bias (O).
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

}  // namespace softscore
