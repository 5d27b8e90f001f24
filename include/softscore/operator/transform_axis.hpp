#pragma once

#include <cstddef>
#include <span>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The axes of one image.
enum class image_axis { channels, rows, columns };

inline std::size_t length_along(image_axis axis, const shape& s) {
  return axis == image_axis::channels ? s.channels : axis == image_axis::rows ? s.height : s.width;
}

// out(.., i, ..) = sum over k of M(i, k) in(.., k, ..) along one axis, or M(k, i) if transposed. The table holds M, n x
// n; each image's is `each` elements after the previous one's (0: one for all).
template <image_axis Axis, bool Transposed>
struct along_axis {
  std::size_t each;
  template <class T>
  SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t image, const T* x, const double* table) const {
    std::size_t n = s.channels, at = p.channel, stride = s.plane();
    if constexpr (Axis == image_axis::rows) {
      n = s.height;
      at = p.row;
      stride = s.width;
    } else if constexpr (Axis == image_axis::columns) {
      n = s.width;
      at = p.column;
      stride = 1;
    }
    const T* line = x + (p.offset(s) - at * stride);
    const double* m = table + image * each + (Transposed ? at : at * n);
    const std::size_t next = Transposed ? n : 1;
    T sum{};
    for (std::size_t k = 0; k < n; ++k) sum += static_cast<T>(m[k * next]) * line[k * stride];
    return sum;
  }
};

// out[x] = sum over k < n of a[k * step] lines[k * length + x] for x from `first` on, `Chunk` of them at a time in
// registers; returns the first x that is not done.
template <std::size_t Chunk, class T>
std::size_t sum_of_lines(std::size_t first, std::size_t n, const T* a, std::size_t step, const T* lines,
                         std::size_t length, T* out) {
  for (; first + Chunk <= length; first += Chunk) {
    T sum[Chunk] = {};
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t x = 0; x < Chunk; ++x) sum[x] += a[k * step] * lines[k * length + first + x];
    for (std::size_t x = 0; x < Chunk; ++x) out[first + x] = sum[x];
  }
  return first;
}
template <class T>
void sum_of_lines(std::size_t n, const T* a, std::size_t step, const T* lines, std::size_t length, T* out) {
  std::size_t first = sum_of_lines<16>(0, n, a, step, lines, length, out);
  first = sum_of_lines<8>(first, n, a, step, lines, length, out);
  first = sum_of_lines<4>(first, n, a, step, lines, length, out);
  sum_of_lines<1>(first, n, a, step, lines, length, out);
}

// On the host the inner loop runs over neighbors in memory. `weights` hold the matrix's elements of one k contiguously.
template <class T>
void combine_lines(std::size_t n, std::size_t length, const T* weights, const T* in, T* out) {
  for (std::size_t i = 0; i < n; ++i) sum_of_lines(n, weights + i, n, in, length, out + i * length);
}
template <class T>
void combine_within_lines(std::size_t n, std::size_t lines, const T* weights, const T* in, T* out) {
  for (std::size_t line = 0; line < lines; ++line) sum_of_lines(n, in + line * n, 1, weights, n, out + line * n);
}

template <bool Transposed, Scalar T, class Be>
void transform_axis_on_host(Be& be, image_axis axis, view_of<Be, const double> matrices, std::size_t each,
                            view_of<Be, const T> in, view_of<Be, T> out) {
  const shape& s = in.extent();
  const std::size_t n = length_along(axis, s);
  auto table = be.template make<T>(shape{each == 0 ? 1 : s.images, 1, n, n});
  const view_of<Be, T> weights = table.view();
  be.parallel(weights.extent().images, [&](std::size_t image) {
    const double* m = matrices.slice(image * each, shape{1, 1, n, n}).image(0).data();
    const std::span<T> w = weights.image(image);
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t i = 0; i < n; ++i) w[k * n + i] = static_cast<T>(Transposed ? m[k * n + i] : m[i * n + k]);
  });
  be.parallel(s.images, [&](std::size_t image) {
    const T* const w = weights.image(each == 0 ? 0 : image).data();
    const T* const from = in.image(image).data();
    T* const to = out.image(image).data();
    if (axis == image_axis::columns) {
      combine_within_lines(n, s.channels * s.height, w, from, to);
    } else if (axis == image_axis::rows) {
      for (std::size_t c = 0; c < s.channels; ++c)
        combine_lines(n, s.width, w, from + c * s.plane(), to + c * s.plane());
    } else {
      combine_lines(n, s.plane(), w, from, to);
    }
  });
}

template <bool Transposed, Scalar T, class Be>
void transform_axis(Be& be, image_axis axis, view_of<Be, const double> matrices, std::size_t each,
                    view_of<Be, const T> in, view_of<Be, T> out) {
  if constexpr (HostBackend<Be>) {
    transform_axis_on_host<Transposed, T>(be, axis, matrices, each, in, out);
  } else {
    const per_image<level> none{level{}};
    switch (axis) {
      case image_axis::channels:
        be.each_pixel(along_axis<image_axis::channels, Transposed>{each}, none, in, out, matrices);
        break;
      case image_axis::rows:
        be.each_pixel(along_axis<image_axis::rows, Transposed>{each}, none, in, out, matrices);
        break;
      case image_axis::columns:
        be.each_pixel(along_axis<image_axis::columns, Transposed>{each}, none, in, out, matrices);
        break;
    }
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
