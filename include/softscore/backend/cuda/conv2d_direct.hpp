#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/cuda/tasks.hpp>

namespace softscore::detail {

// Convolutions tap by tap, for kernels of any size and stride. Output (y, x) and tap (row, column) meet at input
// (y stride + row - radius, x stride + column - radius).

// A thread per output.
template <class T>
struct direct_forward_task {
  const T* x;
  const T* weight;
  const T* bias;
  T* y;
  conv2d_shape s;  // `images` those of this batch

  grid launch() const { return image_grid(s.images, s.output(1).per_image()); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const std::size_t places = s.out_height() * s.out_width(), plane = s.height * s.width, radius = s.radius();
    each_element_of_images(group, s.out_channels * places, [&](std::size_t image, std::size_t e) {
      const std::size_t o = e / places, top = e % places / s.out_width() * s.stride,
                        left = e % s.out_width() * s.stride;
      const T* w = weight + o * s.in_channels * s.kernel * s.kernel;
      const T* in = x + image * s.in_channels * plane;
      T sum = bias[o];
      for (std::size_t i = 0; i < s.in_channels; ++i, in += plane)
        for (std::size_t row = 0; row < s.kernel; ++row)
          for (std::size_t column = 0; column < s.kernel; ++column, ++w) {
            const std::size_t down = top + row, right = left + column;  // both `radius` too far
            if (down >= radius && down < s.height + radius && right >= radius && right < s.width + radius)
              sum += *w * in[(down - radius) * s.width + right - radius];
          }
      y[image * s.out_channels * places + e] = sum;
    });
  }
};

// A thread per input.
template <class T>
struct direct_input_gradient_task {
  const T* weight;
  const T* dy;
  T* dx;
  conv2d_shape s;

  grid launch() const { return image_grid(s.images, s.input(1).per_image()); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const std::size_t places = s.out_height() * s.out_width(), plane = s.height * s.width;
    each_element_of_images(group, s.in_channels * plane, [&](std::size_t image, std::size_t e) {
      const std::size_t i = e / plane, down = e % plane / s.width + s.radius(), right = e % s.width + s.radius();
      T sum{};
      for (std::size_t o = 0; o < s.out_channels; ++o) {
        const T* w = weight + (o * s.in_channels + i) * s.kernel * s.kernel;
        const T* from = dy + (image * s.out_channels + o) * places;
        for (std::size_t row = 0; row < s.kernel && row <= down; ++row) {
          const std::size_t at_row = (down - row) / s.stride;
          if ((down - row) % s.stride != 0 || at_row >= s.out_height()) continue;
          for (std::size_t column = 0; column < s.kernel && column <= right; ++column) {
            const std::size_t at_column = (right - column) / s.stride;
            if ((right - column) % s.stride != 0 || at_column >= s.out_width()) continue;
            sum += w[row * s.kernel + column] * from[at_row * s.out_width() + at_column];
          }
        }
      }
      dx[image * s.in_channels * plane + e] = sum;
    });
  }
};

// A block per weight, which adds over the images and the places of the output, in double.
template <class T>
struct direct_weight_gradient_task {
  const T* x;
  const T* dy;
  T* dweight;
  conv2d_shape s;

  grid launch() const { return {s.weight().size(), flat_threads, flat_threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const std::size_t taps = s.kernel * s.kernel, places = s.out_height() * s.out_width(), plane = s.height * s.width;
    const std::size_t o = group.block() / (s.in_channels * taps), i = group.block() / taps % s.in_channels;
    const std::size_t row = group.block() % taps / s.kernel, column = group.block() % s.kernel, radius = s.radius();
    group.each_thread([&](std::size_t t) {
      double sum = 0;
      for (std::size_t n = 0; n < s.images; ++n) {
        const T* from = dy + (n * s.out_channels + o) * places;
        const T* in = x + (n * s.in_channels + i) * plane;
        for (std::size_t p = t; p < places; p += group.threads()) {
          const auto at = static_cast<std::uint32_t>(p), across = static_cast<std::uint32_t>(s.out_width());
          const std::size_t down = at / across * s.stride + row, right = at % across * s.stride + column;
          if (down >= radius && down < s.height + radius && right >= radius && right < s.width + radius)
            sum += static_cast<double>(from[p]) * static_cast<double>(in[(down - radius) * s.width + right - radius]);
        }
      }
      sums[t] = sum;
    });
    add_up(group, sums);
    group.each_thread([&](std::size_t t) {
      if (t == 0) dweight[group.block()] = static_cast<T>(sums[0]);
    });
  }
};

}  // namespace softscore::detail
