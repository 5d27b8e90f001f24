#pragma once

#include <softscore/backend/serial/linear.hpp>
#include <softscore/backend/tbb/backend.hpp>

namespace softscore {

/// y (N,O) = x (N,I) weight (O,I)^T + bias (O); images are spread over threads.
template <class T>
void linear_forward(tbb_backend& be, const_view<T, host_space> x, const_view<T, host_space> weight,
                    const_view<T, host_space> bias, view<T, host_space> y) {
  const std::size_t inputs = x.extent().per_image(), outputs = y.extent().per_image();
  be.parallel(x.extent().images, [&](std::size_t n) {
    for (std::size_t o = 0; o < outputs; ++o) {
      T sum = bias[o];
      for (std::size_t i = 0; i < inputs; ++i) sum += weight[o * inputs + i] * x[n * inputs + i];
      y[n * outputs + o] = sum;
    }
  });
}

/// The gradients with respect to x, weight and bias, from dy; dx, or dweight together with dbias, may be empty. Images
/// are spread over threads for the first, outputs for the others, so that every sum has one order.
template <class T>
void linear_backward(tbb_backend& be, const_view<T, host_space> x, const_view<T, host_space> weight,
                     const_view<T, host_space> dy, view<T, host_space> dx, view<T, host_space> dweight,
                     view<T, host_space> dbias) {
  const std::size_t images = x.extent().images, inputs = x.extent().per_image(), outputs = dy.extent().per_image();
  if (!dx.empty())
    be.parallel(images, [&](std::size_t n) {
      T* row = raw(dx) + n * inputs;
      std::fill_n(row, inputs, T{});
      for (std::size_t o = 0; o < outputs; ++o)
        for (std::size_t i = 0; i < inputs; ++i) row[i] += dy[n * outputs + o] * weight[o * inputs + i];
    });
  if (dweight.empty()) return;
  be.parallel(outputs, [&](std::size_t o) {
    T* row = raw(dweight) + o * inputs;
    std::fill_n(row, inputs, T{});
    T sum{};
    for (std::size_t n = 0; n < images; ++n) {
      const T d = dy[n * outputs + o];
      sum += d;
      for (std::size_t i = 0; i < inputs; ++i) row[i] += d * x[n * inputs + i];
    }
    dbias[o] = sum;
  });
}

/// y = GELU(z), element by element.
template <class T>
void gelu_forward(tbb_backend& be, const_view<T, host_space> z, view<T, host_space> y) {
  be.for_each(gelu_body{}, y, z);
}

/// dz = dy GELU'(z), element by element; dz may be dy.
template <class T>
void gelu_backward(tbb_backend& be, const_view<T, host_space> z, const_view<T, host_space> dy, view<T, host_space> dz) {
  be.for_each(gelu_backward_body{}, dz, dy, z);
}

}  // namespace softscore
