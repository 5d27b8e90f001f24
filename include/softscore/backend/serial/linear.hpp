#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/bodies.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Sets y (N,O) = x (N,I) weight (O,I)^T + bias (O), which may be empty.
template <class T>
void linear_forward(serial_backend&, const_view<T, host_space> x, const_view<T, host_space> weight,
                    const_view<T, host_space> bias, view<T, host_space> y) {
  const std::size_t inputs = x.extent().per_image(), outputs = y.extent().per_image();
  for (std::size_t n = 0; n < x.extent().images; ++n)
    for (std::size_t o = 0; o < outputs; ++o) {
      T sum = bias.empty() ? T{} : bias[o];
      for (std::size_t i = 0; i < inputs; ++i) sum += weight[o * inputs + i] * x[n * inputs + i];
      y[n * outputs + o] = sum;
    }
}

/// Computes the gradients with respect to x, weight and bias, from dy. They are set, not added to; each may be empty.
template <class T>
void linear_backward(serial_backend&, const_view<T, host_space> x, const_view<T, host_space> weight,
                     const_view<T, host_space> dy, view<T, host_space> dx, view<T, host_space> dweight,
                     view<T, host_space> dbias) {
  const std::size_t images = x.extent().images, inputs = x.extent().per_image(), outputs = dy.extent().per_image();
  if (!dx.empty()) {
    std::fill_n(raw(dx), dx.size(), T{});
    for (std::size_t n = 0; n < images; ++n)
      for (std::size_t o = 0; o < outputs; ++o)
        for (std::size_t i = 0; i < inputs; ++i) dx[n * inputs + i] += dy[n * outputs + o] * weight[o * inputs + i];
  }
  if (!dweight.empty()) {
    std::fill_n(raw(dweight), dweight.size(), T{});
    for (std::size_t n = 0; n < images; ++n)
      for (std::size_t o = 0; o < outputs; ++o)
        for (std::size_t i = 0; i < inputs; ++i) dweight[o * inputs + i] += dy[n * outputs + o] * x[n * inputs + i];
  }
  if (!dbias.empty()) {
    std::fill_n(raw(dbias), dbias.size(), T{});
    for (std::size_t n = 0; n < images; ++n)
      for (std::size_t o = 0; o < outputs; ++o) dbias[o] += dy[n * outputs + o];
  }
}

/// y = GELU(z), element by element.
template <class T>
void gelu_forward(serial_backend& be, const_view<T, host_space> z, view<T, host_space> y) {
  be.for_each(gelu_body{}, y, z);
}

/// dz = dy GELU'(z), element by element; dz may be dy.
template <class T>
void gelu_backward(serial_backend& be, const_view<T, host_space> z, const_view<T, host_space> dy,
                   view<T, host_space> dz) {
  be.for_each(gelu_backward_body{}, dz, dy, z);
}

}  // namespace softscore::inline SOFTSCORE_ABI
