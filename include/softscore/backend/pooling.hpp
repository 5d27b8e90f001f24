#pragma once

#include <cstddef>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/shape.hpp>

namespace softscore {  // shared

/// The windows of a pooling: squares of `kernel` pixels per side that are `stride` apart, over planes with `padding`
/// pixels at each border, as in PyTorch.
struct pool_window {
  std::size_t kernel{2}, stride{2}, padding{};
  /// Whether a mean divides by all pixels of a window, or only by those inside the image (PyTorch's count_include_pad).
  bool count_padding{true};

  /// The number of windows along `size` pixels.
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr std::size_t windows(std::size_t size) const {
    return (size + 2 * padding - kernel) / stride + 1;
  }
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// The shape of the pooled `in`. Throws `error` for windows without pixels, a stride of 0, a padding above half a
/// window, and images smaller than a window.
inline shape pooled(const pool_window& w, const shape& in) {
  require(w.kernel >= 1, "the window of a pooling", w.kernel, "at least 1");
  require(w.stride >= 1, "the stride of a pooling", w.stride, "at least 1");
  require(w.padding <= w.kernel / 2, "the padding of a pooling", w.padding, "at most half of its window");
  require(in.height + 2 * w.padding >= w.kernel && in.width + 2 * w.padding >= w.kernel, "the extent of a pooling", in,
          "at least as high and wide as its window");
  return {in.images, in.channels, w.windows(in.height), w.windows(in.width)};
}

namespace detail {

// Positions `first` to `last` - 1 along a row or a column.
struct pool_span {
  std::size_t first, last;
};

// The pixels of window `o` that lie among `size`.
SOFTSCORE_HD constexpr pool_span pixels_of_window(const pool_window& w, std::size_t o, std::size_t size) {
  const std::size_t first = o * w.stride, end = first + w.kernel - w.padding;
  return {first < w.padding ? 0 : first - w.padding, end < size ? end : size};
}

// The windows, of `count`, that contain pixel `i`.
SOFTSCORE_HD constexpr pool_span windows_of_pixel(const pool_window& w, std::size_t i, std::size_t count) {
  const std::size_t at = i + w.padding, end = at / w.stride + 1;
  return {at < w.kernel ? 0 : (at - w.kernel) / w.stride + 1, end < count ? end : count};
}

// The number of pixels that a mean over the window of these rows and columns divides by.
SOFTSCORE_HD constexpr std::size_t pool_count(const pool_window& w, pool_span rows, pool_span columns) {
  return w.count_padding ? w.kernel * w.kernel : (rows.last - rows.first) * (columns.last - columns.first);
}

}  // namespace detail

/// The maximum of a window; NaN if there is one.
struct pool_max_body {
  pool_window window;

  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& in, std::size_t row, std::size_t column) const {
    const auto rows = detail::pixels_of_window(window, row, in.height);
    const auto columns = detail::pixels_of_window(window, column, in.width);
    auto most = in(rows.first, columns.first);
    for (std::size_t r = rows.first; r < rows.last; ++r)
      for (std::size_t c = columns.first; c < columns.last; ++c) {
        const auto v = in(r, c);
        const auto more = v > most ? v : most;
        most = v == v ? more : v;  // a NaN counts as the largest
      }
    return most;
  }
};

/// The sum of dy over the windows whose maximum, the first of several, is at this pixel.
struct pool_max_backward_body {
  pool_window window;

  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& x, const Plane& dy, std::size_t row,
                                                std::size_t column) const {
    using value = typename Plane::value;
    const auto of_rows = detail::windows_of_pixel(window, row, dy.height);
    const auto of_columns = detail::windows_of_pixel(window, column, dy.width);
    const value here = x(row, column);
    value sum{};
    for (std::size_t i = of_rows.first; i < of_rows.last; ++i)
      for (std::size_t j = of_columns.first; j < of_columns.last; ++j) {
        const auto rows = detail::pixels_of_window(window, i, x.height);
        const auto columns = detail::pixels_of_window(window, j, x.width);
        value share = dy(i, j);
        for (std::size_t r = rows.first; r < rows.last; ++r)
          for (std::size_t c = columns.first; c < columns.last; ++c) {
            if (r == row && c == column) continue;
            const value other = x(r, c);
            if (r < row || (r == row && c < column))
              share = other < here ? share : value{};
            else
              share = other <= here ? share : value{};
          }
        sum += share;
      }
    return sum;
  }
};

/// The mean of a window.
template <class T>
struct pool_mean_body {
  pool_window window;

  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& in, std::size_t row, std::size_t column) const {
    const auto rows = detail::pixels_of_window(window, row, in.height);
    const auto columns = detail::pixels_of_window(window, column, in.width);
    typename Plane::value sum{};
    for (std::size_t r = rows.first; r < rows.last; ++r)
      for (std::size_t c = columns.first; c < columns.last; ++c) sum += in(r, c);
    return sum * (T(1) / static_cast<T>(detail::pool_count(window, rows, columns)));
  }
};

/// The sum, over the windows that contain a pixel, of dy over the number of their pixels; `height` and `width` are
/// those of the image.
template <class T>
struct pool_mean_backward_body {
  pool_window window;
  std::size_t height, width;

  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& dy, std::size_t row, std::size_t column) const {
    const auto of_rows = detail::windows_of_pixel(window, row, dy.height);
    const auto of_columns = detail::windows_of_pixel(window, column, dy.width);
    typename Plane::value sum{};
    for (std::size_t i = of_rows.first; i < of_rows.last; ++i)
      for (std::size_t j = of_columns.first; j < of_columns.last; ++j) {
        const auto rows = detail::pixels_of_window(window, i, height);
        const auto columns = detail::pixels_of_window(window, j, width);
        sum += dy(i, j) * (T(1) / static_cast<T>(detail::pool_count(window, rows, columns)));
      }
    return sum;
  }
};

/// Sets y (shape `pooled(window, x)`) to the maximum of every window of x (N,C,H,W).
template <class Be, class T>
void pool_max_forward(Be& be, const pool_window& window, in_of<Be, T> x, out_of<Be, T> y) {
  map_planes(be, pool_max_body{window}, x, y);
}

/// Sets dx from dy and the x of the forward pass. If several pixels of a window are the maximum, the first one takes
/// the whole gradient, as in PyTorch.
template <class Be, class T>
void pool_max_backward(Be& be, const pool_window& window, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx) {
  map_planes(be, pool_max_backward_body{window}, x, dy, dx);
}

/// Sets y (shape `pooled(window, x)`) to the mean of every window of x (N,C,H,W).
template <class Be, class T>
void pool_mean_forward(Be& be, const pool_window& window, in_of<Be, T> x, out_of<Be, T> y) {
  map_planes(be, pool_mean_body<T>{window}, x, y);
}

/// Sets dx (N,C,H,W) from dy.
template <class Be, class T>
void pool_mean_backward(Be& be, const pool_window& window, in_of<Be, T> dy, out_of<Be, T> dx) {
  map_planes(be, pool_mean_backward_body<T>{window, dx.extent().height, dx.extent().width}, dy, dx);
}

}  // namespace softscore::inline SOFTSCORE_ABI
