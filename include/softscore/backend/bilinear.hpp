#pragma once

#include <cstddef>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Linear interpolation along a side of `in` pixels that becomes one of `out`: pixel o is read at (o + 1/2) in / out -
// 1/2, and at the border where this is outside. Positions are integers, so that none is rounded.
struct linear_places {
  std::size_t in, out;

  // Twice `out` times the position of pixel o.
  SOFTSCORE_HD constexpr std::size_t scaled(std::size_t o) const {
    const std::size_t at = (2 * o + 1) * in;
    return at < out ? 0 : at - out;
  }
  SOFTSCORE_HD constexpr std::size_t lower(std::size_t o) const { return scaled(o) / (2 * out); }
  SOFTSCORE_HD constexpr std::size_t upper(std::size_t o) const { return lower(o) + 1 < in ? lower(o) + 1 : in - 1; }
  // The weight of the upper pixel in pixel o.
  template <class T>
  SOFTSCORE_HD constexpr T share(std::size_t o) const {
    return static_cast<T>(scaled(o) % (2 * out)) / static_cast<T>(2 * out);
  }
  // The weight of pixel i in pixel o.
  template <class T>
  SOFTSCORE_HD constexpr T weight(std::size_t o, std::size_t i) const {
    return (lower(o) == i ? T(1) - share<T>(o) : T(0)) + (upper(o) == i ? share<T>(o) : T(0));
  }
  // The first pixel that may read pixel i; the others follow as long as `lower` is at most i.
  SOFTSCORE_HD constexpr std::size_t first_reader(std::size_t i) const {
    const std::size_t least = 2 * i * out, less = out + in;
    return least <= less ? 0 : (least - less + 2 * in - 1) / (2 * in);
  }
};

}  // namespace detail

/// A pixel of an image that is resized to `height` by `width`: the bilinear mean of the four pixels around its
/// position.
template <class T>
struct bilinear_body {
  std::size_t height, width;

  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& in, std::size_t row, std::size_t column) const {
    const detail::linear_places rows{in.height, height}, columns{in.width, width};
    const std::size_t top = rows.lower(row), bottom = rows.upper(row), left = columns.lower(column),
                      right = columns.upper(column);
    const T down = rows.template share<T>(row), across = columns.template share<T>(column);
    return (in(top, left) * (T(1) - across) + in(top, right) * across) * (T(1) - down) +
           (in(bottom, left) * (T(1) - across) + in(bottom, right) * across) * down;
  }
};

/// The sum of dy over the pixels that read a pixel of the `height` by `width` image, each with its weight.
template <class T>
struct bilinear_backward_body {
  std::size_t height, width;

  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& dy, std::size_t row, std::size_t column) const {
    const detail::linear_places rows{height, dy.height}, columns{width, dy.width};
    typename Plane::value sum{};
    for (std::size_t r = rows.first_reader(row); r < dy.height && rows.lower(r) <= row; ++r) {
      typename Plane::value of_row{};
      for (std::size_t c = columns.first_reader(column); c < dy.width && columns.lower(c) <= column; ++c)
        of_row += dy(r, c) * columns.template weight<T>(c, column);
      sum += of_row * rows.template weight<T>(r, row);
    }
    return sum;
  }
};

/// Sets y (N,C,H',W') to x (N,C,H,W), resized by bilinear interpolation, as PyTorch's interpolate with
/// align_corners=False. A smaller result is not smoothed.
template <class Be, class T>
void bilinear_forward(Be& be, in_of<Be, T> x, out_of<Be, T> y) {
  map_planes(be, bilinear_body<T>{y.extent().height, y.extent().width}, x, y);
}

/// dx (N,C,H,W) from dy (N,C,H',W').
template <class Be, class T>
void bilinear_backward(Be& be, in_of<Be, T> dy, out_of<Be, T> dx) {
  map_planes(be, bilinear_backward_body<T>{dx.extent().height, dx.extent().width}, dy, dx);
}

}  // namespace softscore::inline SOFTSCORE_ABI
