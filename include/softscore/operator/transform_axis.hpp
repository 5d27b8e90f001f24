#pragma once

#include <cstddef>

#include <softscore/backend/concept.hpp>

namespace softscore::detail {

// The axes of one image.
enum class image_axis { channels, rows, columns };

inline std::size_t length_along(image_axis axis, const shape& s) {
  return axis == image_axis::channels ? s.channels : axis == image_axis::rows ? s.height : s.width;
}

// out(.., i, ..) = sum over k of M(i, k) in(.., k, ..) along one axis, or M(k, i) if transposed. The table holds M, n x
// n, `each` elements further on for each image (0: one for all).
template <image_axis Axis, bool Transposed>
struct along_axis {
  std::size_t each;
  template <class T>
  SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t image, const T* x, const double* table) const {
    std::size_t n = s.channels, at = p.channel, stride = s.plane();
    if constexpr (Axis == image_axis::rows) n = s.height, at = p.row, stride = s.width;
    if constexpr (Axis == image_axis::columns) n = s.width, at = p.column, stride = 1;
    const T* line = x + (p.offset(s) - at * stride);
    const double* m = table + image * each + (Transposed ? at : at * n);
    const std::size_t next = Transposed ? n : 1;
    T sum{};
    for (std::size_t k = 0; k < n; ++k) sum += static_cast<T>(m[k * next]) * line[k * stride];
    return sum;
  }
};

template <bool Transposed, Scalar T, class Be>
void transform_axis(Be& be, image_axis axis, view_of<Be, const double> matrices, std::size_t each,
                    view_of<Be, const T> in, view_of<Be, T> out) {
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

}  // namespace softscore::detail
