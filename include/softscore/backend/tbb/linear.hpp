#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/serial/linear.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/backend/tbb/gelu_simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Inner products of x with four neighboring rows of a matrix, each row `size` long.
template <std::size_t W>
SOFTSCORE_INLINE void four_products(const float* x, const float* rows, std::size_t size, float* products) {
  simd<W> sum[4] = {};
  std::size_t i = 0;
  for (; i + W <= size; i += W) {
    const simd<W> of_x = load<W>(x + i);
    unrolled<4>([&](auto k) SOFTSCORE_INLINE_LAMBDA { sum[k] += of_x * load<W>(rows + k * size + i); });
  }
  unrolled<4>([&](auto k) SOFTSCORE_INLINE_LAMBDA { products[k] = sum_of_lanes<W>(sum[k]); });
  for (; i < size; ++i)
    for (std::size_t k = 0; k < 4; ++k) products[k] += x[i] * rows[k * size + i];
}

// One image: y (O) = weight (O,I) x (I) + bias (O), which may be null.
template <class T>
void linear_image_forward(std::size_t inputs, std::size_t outputs, const T* x, const T* weight, const T* bias, T* y) {
  std::size_t o = 0;
  if constexpr (std::is_same_v<T, float>)
    for (; o + 4 <= outputs; o += 4) {
      float products[4];
      four_products<native_lanes>(x, weight + o * inputs, inputs, products);
      for (std::size_t k = 0; k < 4; ++k) y[o + k] = products[k] + (bias != nullptr ? bias[o + k] : 0.0f);
    }
  for (; o < outputs; ++o) {
    T sum = bias != nullptr ? bias[o] : T{};
    for (std::size_t i = 0; i < inputs; ++i) sum += weight[o * inputs + i] * x[i];
    y[o] = sum;
  }
}

// out (size) = the sum over k of factors[k * stride] times row k of `rows` (count,size). Runs of 16 rows are summed
// first, and then their sums, so that a long sum is hardly less accurate than a short one.
template <class T>
void sum_of_rows(std::size_t count, const T* factors, std::size_t stride, const T* rows, std::size_t size, T* out) {
  constexpr std::size_t run = 16, tile = 64;
  for (std::size_t from = 0; from < size; from += tile) {
    const std::size_t width = (std::min)(tile, size - from);
    T sum[tile] = {};
    for (std::size_t first = 0; first < count; first += run) {
      T of_run[tile] = {};
      for (std::size_t k = first; k < (std::min)(count, first + run); ++k)
        for (std::size_t i = 0; i < width; ++i) of_run[i] += factors[k * stride] * rows[k * size + from + i];
      for (std::size_t i = 0; i < width; ++i) sum[i] += of_run[i];
    }
    std::copy_n(sum, width, out + from);
  }
}

// Calls body(from, count) for vectors of floats and for the remainder, spread over threads in runs of 1024.
template <class Body>
void each_vector(tbb_backend& be, std::size_t size, const Body& body) {
  constexpr std::size_t run = 1024;
  be.parallel((size + run - 1) / run, [&](std::size_t r) {
    for (std::size_t i = r * run; i < (std::min)(size, (r + 1) * run); i += native_lanes)
      body(i, (std::min)(native_lanes, size - i));
  });
}

// The first `count` numbers at `from`, followed by zeros.
inline simd<native_lanes> load_some(const float* from, std::size_t count) {
  float lanes[native_lanes] = {};
  std::copy_n(from, count, lanes);
  return load<native_lanes>(lanes);
}
inline void store_some(float* to, std::size_t count, simd<native_lanes> v) {
  float lanes[native_lanes];
  store(lanes, v);
  std::copy_n(lanes, count, to);
}

}  // namespace detail

/// Sets y (N,O) = x (N,I) weight (O,I)^T + bias (O), which may be empty; images are spread over threads.
template <class T>
void linear_forward(tbb_backend& be, const_view<T, host_space> x, const_view<T, host_space> weight,
                    const_view<T, host_space> bias, view<T, host_space> y) {
  be.parallel(x.extent().images, [&](std::size_t n) {
    detail::linear_image_forward(x.extent().per_image(), y.extent().per_image(), x.image(n).data(), raw(weight),
                                 raw(bias), y.image(n).data());
  });
}

/// Computes the gradients with respect to x, weight and bias, from dy; each may be empty. Images are spread over
/// threads for the first, outputs for the others, so that every sum has one order.
template <class T>
void linear_backward(tbb_backend& be, const_view<T, host_space> x, const_view<T, host_space> weight,
                     const_view<T, host_space> dy, view<T, host_space> dx, view<T, host_space> dweight,
                     view<T, host_space> dbias) {
  const std::size_t images = dy.extent().images, inputs = x.extent().per_image(), outputs = dy.extent().per_image();
  const T* w = raw(weight);
  const T* of_x = raw(x);
  const T* of_dy = raw(dy);
  if (!dx.empty())
    be.parallel(images, [&](std::size_t n) {
      detail::sum_of_rows(outputs, of_dy + n * outputs, 1, w, inputs, raw(dx) + n * inputs);
    });
  if (dweight.empty() && dbias.empty()) return;
  be.parallel(outputs, [&](std::size_t o) {
    if (!dweight.empty()) detail::sum_of_rows(images, of_dy + o, outputs, of_x, inputs, raw(dweight) + o * inputs);
    if (dbias.empty()) return;
    double sum = 0;
    for (std::size_t n = 0; n < images; ++n) sum += static_cast<double>(of_dy[n * outputs + o]);
    raw(dbias)[o] = static_cast<T>(sum);
  });
}

/// y = GELU(z), element by element.
template <class T>
void gelu_forward(tbb_backend& be, const_view<T, host_space> z, view<T, host_space> y) {
  if constexpr (std::is_same_v<T, float>)
    detail::each_vector(be, y.size(), [&](std::size_t i, std::size_t count) {
      const auto value = detail::gelu_value<detail::native_lanes>(detail::load_some(raw(z) + i, count));
      detail::store_some(raw(y) + i, count, value);
    });
  else
    be.for_each(gelu_body{}, y, z);
}

/// dz = dy GELU'(z), element by element; dz may be dy.
template <class T>
void gelu_backward(tbb_backend& be, const_view<T, host_space> z, const_view<T, host_space> dy, view<T, host_space> dz) {
  if constexpr (std::is_same_v<T, float>)
    detail::each_vector(be, dz.size(), [&](std::size_t i, std::size_t count) {
      const auto slope = detail::gelu_slope<detail::native_lanes>(detail::load_some(raw(z) + i, count));
      detail::store_some(raw(dz) + i, count, slope * detail::load_some(raw(dy) + i, count));
    });
  else
    be.for_each(gelu_backward_body{}, dz, dy, z);
}

}  // namespace softscore::inline SOFTSCORE_ABI
