#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/joined_view.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/backend/serial/concatenate.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Calls body(w, pairs) for the index of every weight; pairs(f) calls f(y, x) for the indices of an output and an input
// of one image that the weight connects: y[y] += weight[w] * x[x] is the forward pass.
template <class Body>
void each_weight(const conv2d_shape& s, const Body& body) {
  const conv2d_padding border = s.border();
  const std::size_t out_height = s.out_height(), out_width = s.out_width();
  std::size_t w = 0;
  for (std::size_t o = 0; o < s.out_channels; ++o)
    for (std::size_t i = 0; i < s.in_channels; ++i)
      for (std::size_t a = 0; a < s.kernel.height; ++a)
        for (std::size_t b = 0; b < s.kernel.width; ++b)
          body(w++, [&](const auto& f) {
            for (std::size_t row = 0; row < out_height; ++row) {
              const std::size_t down = row * s.stride + a;  // in the padded input
              if (down < border.top || down >= border.top + s.height) continue;
              for (std::size_t column = 0; column < out_width; ++column) {
                const std::size_t right = column * s.stride + b;
                if (right < border.left || right >= border.left + s.width) continue;
                f((o * out_height + row) * out_width + column,
                  (i * s.height + down - border.top) * s.width + right - border.left);
              }
            }
          });
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

/// Plans a convolution; throws `error` for invalid sizes.
template <class T>
serial_conv2d<T> make_conv2d(serial_backend&, const conv2d_shape& sizes, serial_scratch = {}) {
  require_valid(sizes);
  return {sizes};
}

/// Must be called after the weights changed and before the next forward or backward pass.
template <class T>
void conv2d_prepare(serial_backend&, serial_conv2d<T>&, const_view<T, host_space> /*(O,I,kh,kw)*/) {}

/// Sets y (N,O,H',W') = weight (O,I,kh,kw) * x (N,I,H,W) + bias (O) + addend (N,O,H',W'). An empty bias or addend is 0;
/// the addend must not be y. x may be in two parts. `conv2d_shape` gives H' and W'.
template <class T>
void conv2d_forward(serial_backend& be, serial_conv2d<T>& plan, const_joined_view<T, host_space> x_or_parts,
                    const_view<T, host_space> weight, const_view<T, host_space> bias, view<T, host_space> y,
                    const_view<T, host_space> addend = {}) {
  const detail::joined_copy<serial_backend, T> joined{be, x_or_parts};
  const view<const T, host_space> x = joined.view().first;
  const conv2d_shape& s = plan.sizes;
  const std::size_t places = s.output(1).plane();
  for (std::size_t n = 0; n < x.extent().images; ++n) {
    const T* of_x = x.image(n).data();
    T* of_y = y.image(n).data();
    for (std::size_t o = 0; o < s.out_channels; ++o)
      std::fill_n(of_y + o * places, places, bias.empty() ? T{} : raw(bias)[o]);
    detail::each_weight(s, [&](std::size_t w, const auto& pairs) {
      const T factor = raw(weight)[w];
      pairs([&](std::size_t to, std::size_t from) { of_y[to] += factor * of_x[from]; });
    });
  }
  for (std::size_t k = 0; k < addend.size(); ++k) raw(y)[k] += raw(addend)[k];
}

/// Computes the gradients of a loss with respect to x, weight and bias, from dy, the gradient with respect to y. They
/// are set, not added to. An empty gradient is skipped; dbias is empty if dweight is. x may be in two parts, dx is in
/// one.
template <class T>
void conv2d_backward(serial_backend& be, serial_conv2d<T>& plan, const_joined_view<T, host_space> x_or_parts,
                     const_view<T, host_space> weight, const_view<T, host_space> dy, view<T, host_space> dx,
                     view<T, host_space> dweight, view<T, host_space> dbias) {
  const detail::joined_copy<serial_backend, T> joined{be, x_or_parts};
  const view<const T, host_space> x = joined.view().first;
  const conv2d_shape& s = plan.sizes;
  const std::size_t places = s.output(1).plane();
  std::fill_n(raw(dweight), dweight.size(), T{});
  std::fill_n(raw(dbias), dbias.size(), T{});
  for (std::size_t n = 0; n < dy.extent().images; ++n) {
    const T* of_dy = dy.image(n).data();
    if (!dx.empty()) {
      T* of_dx = dx.image(n).data();
      std::fill_n(of_dx, s.input(1).size(), T{});
      detail::each_weight(s, [&](std::size_t w, const auto& pairs) {
        const T factor = raw(weight)[w];
        pairs([&](std::size_t from, std::size_t to) { of_dx[to] += factor * of_dy[from]; });
      });
    }
    if (!dweight.empty()) {
      const T* of_x = x.image(n).data();
      detail::each_weight(s, [&](std::size_t w, const auto& pairs) {
        T sum{};
        pairs([&](std::size_t of_output, std::size_t of_input) { sum += of_dy[of_output] * of_x[of_input]; });
        raw(dweight)[w] += sum;
      });
    }
    if (!dbias.empty())
      for (std::size_t k = 0; k < s.out_channels * places; ++k) raw(dbias)[k / places] += of_dy[k];
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
