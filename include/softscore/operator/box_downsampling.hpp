#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/operator/gathered.hpp>
#include <softscore/operator/kronecker_svd.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Down-sampling by the mean of blocks (textbook), shown at the original size: every pixel becomes the mean of its
/// block of factor x factor pixels. Blocks start at the upper left corner and are smaller where they reach the lower
/// and right edges. Level w is factor - 1, rounded to an integer: `at_factor(4)` for a quarter of the size. C_w = E R,
/// where R takes the means and E repeats them. It is an orthogonal projection, so it is its own adjoint, C^T C = C, and
/// its singular values are 1 for what the small image holds and 0 for the rest. The levels are discrete, so C_t jumps
/// in t.
struct box_downsampling {
  static constexpr bool never_amplifies = true;
  /// The level that leaves 1 / factor of the rows and columns.
  static constexpr level at_factor(std::size_t factor) { return level{static_cast<double>(factor) - 1.0}; }
};

template <>
struct degradation<box_downsampling> : gathered<degradation<box_downsampling>> {
  template <class T>
  SOFTSCORE_HD static T apply_pixel(const box_downsampling&, level w, const shape& s, pixel p, const T* image) {
    const std::size_t factor = static_cast<std::size_t>(w.value + 0.5) + 1;
    const span rows = block(factor, p.row, s.height), columns = block(factor, p.column, s.width);
    const T* plane = image + p.channel * s.plane();
    T sum{};
    for (std::size_t y = rows.first; y < rows.end; ++y)
      for (std::size_t x = columns.first; x < columns.end; ++x) sum += plane[y * s.width + x];
    return sum / static_cast<T>((rows.end - rows.first) * (columns.end - columns.first));
  }
  template <class T>
  SOFTSCORE_HD static T adjoint_pixel(const box_downsampling& op, level w, const shape& s, pixel p, const T* image) {
    return apply_pixel(op, w, s, p, image);
  }
  template <class = when_called>
  static kronecker_svd svd(const box_downsampling&, level w, const shape& image) {
    const std::size_t factor = static_cast<std::size_t>(w.value + 0.5) + 1;
    const auto along = [&](std::size_t n) {
      std::vector<double> matrix(n * n);
      for (std::size_t i = 0; i < n; ++i) {
        const span own = block(factor, i, n);
        for (std::size_t k = own.first; k < own.end; ++k)
          matrix[i * n + k] = 1.0 / static_cast<double>(own.end - own.first);
      }
      return kronecker_svd::axis{detail::decompose(n, matrix)};
    };
    return {image, {}, along(image.height), along(image.width)};
  }

 private:
  struct span {
    std::size_t first, end;
  };
  SOFTSCORE_HD static span block(std::size_t factor, std::size_t position, std::size_t side) {
    const std::size_t first = position / factor * factor;
    return {first, first + factor < side ? first + factor : side};
  }
};
static_assert(LinearOperator<box_downsampling> && HasSvd<box_downsampling>);

}  // namespace softscore::inline SOFTSCORE_ABI
