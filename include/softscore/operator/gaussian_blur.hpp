#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/kronecker_svd.hpp>

namespace softscore {

/// Blur by a Gaussian kernel, k(i, j) proportional to exp(-(i^2 + j^2) / (2 w^2)) for |i|, |j| <= half_width, sum 1,
/// with zero padding (EQUATIONS F6; 001 App. D, G). Level w is the standard deviation in pixels. Separable, symmetric,
/// so its own adjoint. Taps that reach past the image still count in the sum, so the image loses mass at its edge.
struct gaussian_blur {
  std::size_t half_width{28};
  static constexpr bool never_amplifies = true;  // its weights add up to at most 1 along rows and along columns

  template <class Be, Scalar T>
  void apply(Be& be, per_image<level> levels, const_view<T, typename Be::space> in,
             view<T, typename Be::space> out) const {
    auto kernel = make_kernel(be, levels, in.extent().images, normalise{});
    correlate<T>(be, levels, kernel.view(), in, out);
  }
  template <class Be, Scalar T>
  void adjoint(Be& be, per_image<level> w, const_view<T, typename Be::space> in,
               view<T, typename Be::space> out) const {
    apply<Be, T>(be, w, in, out);
  }
  template <class Be, Scalar T>
  void derivative(Be& be, per_image<level> levels, const_view<T, typename Be::space> in,
                  view<T, typename Be::space> out) const {
    // With k along each direction and d = w dk/dw, the derivative k (x) dk/dw + dk/dw (x) k is the difference of two
    // kernels (x) themselves: (k + d) / sqrt(2 w) and (k - d) / sqrt(2 w).
    const std::size_t images = in.extent().images;
    auto subtracted = be.template make<T>(in.extent());
    correlate<T>(be, levels, make_kernel(be, levels, images, moved{1.0}).view(), in, out);
    correlate<T>(be, levels, make_kernel(be, levels, images, moved{-1.0}).view(), in, subtracted.view());
    be.combine(out, term{1.0, out}, term{-1.0, subtracted.view()});
  }
  /// Of the matrices along rows and columns, which have the kernel around their diagonals.
  template <class = when_called>
  kronecker_svd svd(level w, const shape& image) const {
    const auto along = [&](std::size_t side) {
      std::vector<double> taps(half_width + 1), matrix(side * side);
      double sum = 0.0;
      for (std::size_t i = 0; i <= half_width; ++i) {
        taps[i] = weight{}(w, shape{}, pixel{.column = i}, 0, nullptr);
        sum += (i == 0 ? 1.0 : 2.0) * taps[i];
      }
      for (std::size_t i = 0; i < side; ++i)
        for (std::size_t k = 0; k < side; ++k) {
          const std::size_t apart = i < k ? k - i : i - k;
          matrix[i * side + k] = apart <= half_width ? taps[apart] / sum : 0.0;
        }
      return kronecker_svd::axis{detail::decompose(side, matrix)};
    };
    auto rows = along(image.height), columns = image.width == image.height ? rows : along(image.width);
    return {image, {}, std::move(rows), std::move(columns)};
  }

 private:
  // Half kernels, one image a row, from the weights that `finish` sees.
  template <class Be, class Finish>
  array_of<Be, double> make_kernel(Be& be, per_image<level> levels, std::size_t images, const Finish& finish) const {
    const shape taps{images, 1, 1, half_width + 1};
    auto weights = be.template make<double>(taps);
    auto kernel = be.template make<double>(taps);
    be.each_pixel(weight{}, levels, view_of<Be, const double>(kernel.view()), weights.view());
    be.each_pixel(finish, levels, view_of<Be, const double>(weights.view()), kernel.view());
    return kernel;
  }
  template <Scalar T, class Be>
  void correlate(Be& be, per_image<level> levels, view_of<Be, const double> kernel, view_of<Be, const T> in,
                 view_of<Be, T> out) const {
    if constexpr (CorrelatesSeparably<Be, T>) {
      be.correlate_separably(kernel, in, out);
    } else {
      auto rows_done = be.template make<T>(in.extent());
      be.each_pixel(along_rows{half_width}, levels, in, rows_done.view(), kernel);
      be.each_pixel(along_columns{half_width}, levels, view_of<Be, const T>(rows_done.view()), out, kernel);
    }
  }

 public:  // for kernels, which are made of public types only
  // Tap i of an image's half kernel, before and after division by the sum of all 2 half_width + 1.
  struct weight {
    SOFTSCORE_HD double operator()(level w, const shape&, pixel p, std::size_t, const double*) const {
      const auto i = static_cast<double>(p.column);
      if (p.column == 0) return 1.0;  // at a level whose square underflows too
      if (w.value <= 0.0) return 0.0;
      return std::exp(-i * i / (2.0 * w.value * w.value));
    }
  };
  struct normalise {
    SOFTSCORE_HD double operator()(level, const shape& s, pixel p, std::size_t, const double* weights) const {
      double sum = weights[0];
      for (std::size_t i = 1; i < s.width; ++i) sum += 2.0 * weights[i];
      return weights[p.column] / sum;
    }
  };
  // Tap i of (k +- w dk/dw) / sqrt(2 w): dk_i/dw is k_i times i^2 / w^3, less the mean of that under k. Where even the
  // first neighbour's weight underflows, the kernel does not move.
  struct moved {
    double sign;
    SOFTSCORE_HD double operator()(level w, const shape& s, pixel p, std::size_t, const double* weights) const {
      if (s.width < 2 || !(weights[1] > 0.0)) return 0.0;
      double sum = weights[0], moment = 0.0;
      for (std::size_t i = 1; i < s.width; ++i) {
        sum += 2.0 * weights[i];
        moment += 2.0 * weights[i] * square(static_cast<double>(i) / w.value);
      }
      const double grows = square(static_cast<double>(p.column) / w.value) - moment / sum;
      return weights[p.column] / sum * (1.0 + sign * grows) / std::sqrt(2.0 * w.value);
    }
    SOFTSCORE_HD static double square(double x) { return x * x; }
  };

 private:
  // The sum over a line of `length` elements, `stride` apart, around `position`.
  template <class T>
  SOFTSCORE_HD static T line(const T* first, std::size_t position, std::size_t length, std::size_t stride,
                             const double* kernel, std::size_t half) {
    T sum = static_cast<T>(kernel[0]) * first[position * stride];
    for (std::size_t i = 1; i <= half && i <= position; ++i)
      sum += static_cast<T>(kernel[i]) * first[(position - i) * stride];
    for (std::size_t i = 1; i <= half && position + i < length; ++i)
      sum += static_cast<T>(kernel[i]) * first[(position + i) * stride];
    return sum;
  }

 public:  // for kernels, which are made of public types only
  struct along_rows {
    std::size_t half;
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t image, const T* x, const double* taps) const {
      const T* row = x + p.channel * s.plane() + p.row * s.width;
      return line(row, p.column, s.width, 1, taps + image * (half + 1), half);
    }
  };
  struct along_columns {
    std::size_t half;
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t image, const T* x, const double* taps) const {
      const T* column = x + p.channel * s.plane() + p.column;
      return line(column, p.row, s.height, s.width, taps + image * (half + 1), half);
    }
  };
};
static_assert(LinearOperator<gaussian_blur> && DifferentiableInLevel<gaussian_blur> && HasSvd<gaussian_blur>);

}  // namespace softscore
