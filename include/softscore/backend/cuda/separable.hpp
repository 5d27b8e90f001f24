#pragma once

#include <cstddef>

#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The sum over a line of `length` elements, `stride` apart, around `position`, under a symmetric half kernel of `taps`.
template <class T>
SOFTSCORE_HD T correlated_line(const T* line, std::size_t position, std::size_t length, std::size_t stride,
                               const double* kernel, std::size_t taps) {
  T sum = static_cast<T>(kernel[0]) * line[position * stride];
  for (std::size_t i = 1; i < taps && i <= position; ++i)
    sum += static_cast<T>(kernel[i]) * line[(position - i) * stride];
  for (std::size_t i = 1; i < taps && position + i < length; ++i)
    sum += static_cast<T>(kernel[i]) * line[(position + i) * stride];
  return sum;
}

// Both directions at once, a block per plane; the plane must fit into the shared memory twice.
template <class T>
struct correlate_plane_task {
  const double* kernels;  // `kernel_step` apart, 0 if all images share one
  const T* in;
  T* out;
  std::size_t taps, kernel_step, planes, channels, height, width;

  static constexpr std::size_t most_bytes = 48 * 1024;  // of shared memory, available without an extra request
  static bool fits(const shape& s, std::size_t taps) {
    return taps * sizeof(double) + 2 * s.plane() * sizeof(T) <= most_bytes;
  }
  grid launch() const { return {planes, 256, taps * sizeof(double) + 2 * height * width * sizeof(T)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const std::size_t plane = height * width, image = group.block() / channels;
    double* kernel = group.template shared<double>();
    T* whole = reinterpret_cast<T*>(kernel + taps);
    T* rows_done = whole + plane;
    const T* from = in + group.block() * plane;
    T* to = out + group.block() * plane;
    group.each_thread([&](std::size_t t) {
      for (std::size_t i = t; i < taps; i += group.threads()) kernel[i] = kernels[image * kernel_step + i];
      for (std::size_t i = t; i < plane; i += group.threads()) whole[i] = from[i];
    });
    group.each_thread([&](std::size_t t) {
      for (std::size_t i = t; i < plane; i += group.threads())
        rows_done[i] = correlated_line(whole + i / width * width, i % width, width, 1, kernel, taps);
    });
    group.each_thread([&](std::size_t t) {
      for (std::size_t i = t; i < plane; i += group.threads())
        to[i] = correlated_line(rows_done + i % width, i / width, height, width, kernel, taps);
    });
  }
};

// One direction, for planes of any size.
template <class T>
struct correlate_lines_task {
  const double* kernels;
  const T* in;
  T* out;
  shape extent;
  std::size_t taps, kernel_step, down;  // down: 1 along columns, 0 along rows
  grid launch() const { return image_grid(extent.images, extent.per_image()); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const std::size_t elements = extent.per_image(), plane = extent.plane(), width = extent.width;
    each_element_of_images(group, elements, [&](std::size_t image, std::size_t i) {
      const double* kernel = kernels + image * kernel_step;
      const T* from = in + image * elements + i / plane * plane;
      const std::size_t row = i % plane / width, column = i % width;
      out[image * elements + i] = down != 0 ? correlated_line(from + column, row, extent.height, width, kernel, taps)
                                            : correlated_line(from + row * width, column, width, 1, kernel, taps);
    });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
