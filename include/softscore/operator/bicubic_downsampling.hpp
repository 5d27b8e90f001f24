#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/cubic_window.hpp>
#include <softscore/operator/kronecker_svd.hpp>
#include <softscore/operator/transform_axis.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Down-sampling with a cubic filter and up-sampling with the same one, so that the result has the original size: C_w =
/// E R along rows and columns. R reads the image at the centers of the small image's pixels with the cubic kernel (Keys
/// 1981, with a = -1/2), stretched by the factor so that nothing aliases; E interpolates with the unstretched kernel.
/// Both leave out what is beyond the edge and divide by the sum of the weights. Level w is factor - 1, rounded to an
/// integer: `at_factor(4)` for a quarter of the size. The kernel has negative weights, so C_w may amplify a little. The
/// levels are discrete, so C_t jumps in t.
struct bicubic_downsampling {
  /// The level that leaves 1 / factor of the rows and columns.
  static constexpr level at_factor(std::size_t factor) { return level{static_cast<double>(factor) - 1.0}; }

  template <class Be, Scalar T>
  void apply(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    transform<false, T>(be, levels, in, out);
  }
  template <class Be, Scalar T>
  void adjoint(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    transform<true, T>(be, levels, in, out);
  }
  template <class = when_called>
  kronecker_svd svd(level w, const shape& image) const {
    const auto along = [&](std::size_t n) {
      const shape table{1, 1, n, n};
      std::vector<double> reduced(n * n), both(n * n);
      for (std::size_t i = 0; i < n * n; ++i) reduced[i] = reduce{}(w, table, {0, i / n, i % n}, 0, nullptr);
      for (std::size_t i = 0; i < n * n; ++i) both[i] = expand{}(w, table, {0, i / n, i % n}, 0, reduced.data());
      return kronecker_svd::axis{detail::decompose(n, both)};
    };
    return {image, {}, along(image.height), along(image.width)};
  }

 private:
  SOFTSCORE_HD static std::size_t factor_at(level w) { return static_cast<std::size_t>(w.value + 0.5) + 1; }

 public:  // for kernels, which can use only public types
  // Row j, column k of R, n x n with rows of zeros below those of the small image.
  struct reduce {
    SOFTSCORE_HD double operator()(level w, const shape& s, pixel p, std::size_t, const double*) const {
      const std::size_t n = s.width, factor = factor_at(w), shrunk = (n + factor - 1) / factor;
      if (p.row >= shrunk) return 0.0;
      const auto stretch = static_cast<double>(factor);
      const detail::cubic_window reach{(static_cast<double>(p.row) + 0.5) * stretch - 0.5, stretch, n};
      return p.column >= reach.first && p.column < reach.end ? reach.weight(p.column) / reach.sum() : 0.0;
    }
  };
  // Row i, column k of E R, from the table of R.
  struct expand {
    SOFTSCORE_HD double operator()(level w, const shape& s, pixel p, std::size_t, const double* reduced) const {
      const std::size_t n = s.width, factor = factor_at(w), shrunk = (n + factor - 1) / factor;
      const detail::cubic_window reach{(static_cast<double>(p.row) + 0.5) / static_cast<double>(factor) - 0.5, 1.0,
                                       shrunk};
      double total = 0.0;
      for (std::size_t j = reach.first; j < reach.end; ++j) total += reach.weight(j) * reduced[j * n + p.column];
      return total / reach.sum();
    }
  };

 private:
  // E R for images of side n, one per level.
  template <class Be>
  static array_of<Be, double> matrices(Be& be, per_image<level> levels, std::size_t images, std::size_t n) {
    const shape tables{levels.shared() ? 1 : images, 1, n, n};
    auto reduced = be.template make<double>(tables), both = be.template make<double>(tables);
    be.each_pixel(reduce{}, levels, view_of<Be, const double>(both.view()), reduced.view());
    be.each_pixel(expand{}, levels, view_of<Be, const double>(reduced.view()), both.view());
    return both;
  }
  template <bool Transposed, Scalar T, class Be>
  static void transform(Be& be, per_image<level> levels, view_of<Be, const T> in, view_of<Be, T> out) {
    const shape& s = in.extent();
    auto rows = matrices(be, levels, s.images, s.height), columns = matrices(be, levels, s.images, s.width);
    auto rows_done = be.template make<T>(s);
    const std::size_t one = levels.shared() ? 0 : 1;
    detail::transform_axis<Transposed, T>(be, detail::image_axis::rows, rows.view(), one * s.height * s.height, in,
                                          rows_done.view());
    detail::transform_axis<Transposed, T>(be, detail::image_axis::columns, columns.view(), one * s.width * s.width,
                                          rows_done.view(), out);
  }
};
static_assert(LinearOperator<bicubic_downsampling> && HasSvd<bicubic_downsampling>);

}  // namespace softscore::inline SOFTSCORE_ABI
