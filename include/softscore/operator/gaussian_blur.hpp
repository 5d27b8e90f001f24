#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/kronecker_svd.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Blur by a Gaussian kernel, k(i, j) proportional to exp(-(i^2 + j^2) / (2 w^2)) for |i|, |j| <= half_width, sum 1,
/// with zero padding (Daras et al. 2022, Appendices D and G). Level w is the standard deviation in pixels. It is
/// separable, and symmetric, so it is its own adjoint. Taps outside the image still count in the sum, so the image
/// loses mass at its edge.
struct gaussian_blur {
  std::size_t half_width{28};
  static constexpr bool never_amplifies = true;  // its weights add up to at most 1 along rows and along columns

  template <class Be, Scalar T>
  void apply(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    auto kernel = make_kernel(be, levels, in.extent().images, normalize{});
    correlate<T>(be, levels, kernel.view(), in, out);
  }
  template <class Be, Scalar T>
  void adjoint(Be& be, per_image<level> w, in_of<Be, T> in, out_of<Be, T> out) const {
    apply<Be, T>(be, w, in, out);
  }
  template <class Be, Scalar T>
  void derivative(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    // With k along each direction and d = w dk/dw, the derivative k (x) dk/dw + dk/dw (x) k is the difference of two
    // kernels (x) themselves: (k + d) / sqrt(2 w) and (k - d) / sqrt(2 w).
    const std::size_t images = in.extent().images;
    auto subtracted = be.template make<T>(in.extent());
    correlate<T>(be, levels, make_kernel(be, levels, images, moved{1.0}).view(), in, out);
    correlate<T>(be, levels, make_kernel(be, levels, images, moved{-1.0}).view(), in, subtracted.view());
    be.combine(out, term{1.0, out}, term{-1.0, subtracted.view()});
  }
  /// For the matrices along rows and columns, which have the kernel around their diagonals.
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
  // Half kernels, one row per image or one row for all, from the weights and what `Finish` computes from all of them.
  template <class Be, class Finish>
  array_of<Be, double> make_kernel(Be& be, per_image<level> levels, std::size_t images, const Finish& finish) const {
    const std::size_t kernels = levels.shared() ? 1 : images, taps = half_width + 1;
    // The result is allocated first: a device's pool works as a stack, so it then hands out the same blocks to the next
    // caller, and a step that is replayed finds its addresses.
    auto kernel = be.template make<double>({kernels, 1, 1, taps});
    auto weights = be.template make<double>({kernels, 1, 1, taps});
    auto sums = be.template make<double>({kernels, 1, 1, Finish::sums});
    const view_of<Be, const double> of_weights = weights.view(), of_sums = sums.view();
    be.each_pixel(weight{}, levels, of_weights, weights.view());
    be.each_pixel(weight_sums{taps}, levels, of_sums, sums.view(), of_weights);
    be.each_pixel(finish, levels, of_weights, kernel.view(), of_sums);
    return kernel;
  }
  template <Scalar T, class Be>
  void correlate(Be& be, per_image<level> levels, view_of<Be, const double> kernel, view_of<Be, const T> in,
                 view_of<Be, T> out) const {
    if constexpr (CorrelatesSeparably<Be, T>) {
      be.correlate_separably(kernel, in, out);
    } else {
      const std::size_t step = levels.shared() ? 0 : half_width + 1;
      auto rows_done = be.template make<T>(in.extent());
      be.each_pixel(along_rows{half_width, step}, levels, in, rows_done.view(), kernel);
      be.each_pixel(along_columns{half_width, step}, levels, view_of<Be, const T>(rows_done.view()), out, kernel);
    }
  }

 public:  // for kernels, which can use only public types
  // Tap i of an image's half kernel, before and after division by the sum of all 2 half_width + 1.
  struct weight {
    SOFTSCORE_HD double operator()(level w, const shape&, pixel p, std::size_t, const double*) const {
      const auto i = static_cast<double>(p.column);
      if (p.column == 0) return 1.0;  // even at a level whose square underflows
      if (w.value <= 0.0) return 0.0;
      const double exponent = i * i / (2.0 * w.value * w.value);
      return exponent > 746.0 ? 0.0 : std::exp(-exponent);  // exp is slowest where the result underflows
    }
  };
  // 0: the sum of all 2 half_width + 1 weights; 1: the sum of each times i^2 / w^2. Weights fall with i, so the sums
  // end at the first weight that is 0.
  struct weight_sums {
    std::size_t taps;
    SOFTSCORE_HD double operator()(level w, const shape&, pixel p, std::size_t image, const double*,
                                   const double* all) const {
      const double* const weights = all + image * taps;
      double sum = p.column == 0 ? weights[0] : 0.0;
      for (std::size_t i = 1; i < taps && weights[i] != 0.0; ++i)
        sum += 2.0 * weights[i] * (p.column == 0 ? 1.0 : square(static_cast<double>(i) / w.value));
      return sum;
    }
  };
  struct normalize {
    static constexpr std::size_t sums = 1;
    SOFTSCORE_HD double operator()(level, const shape&, pixel p, std::size_t image, const double* weights,
                                   const double* of) const {
      return weights[p.column] / of[image * sums];
    }
  };
  // Tap i of (k +- w dk/dw) / sqrt(2 w): dk_i/dw is k_i times i^2 / w^3, minus the mean of that under k. If even the
  // weight of the first neighbor underflows, the kernel does not change.
  struct moved {
    static constexpr std::size_t sums = 2;
    double sign;
    SOFTSCORE_HD double operator()(level w, const shape& s, pixel p, std::size_t image, const double* weights,
                                   const double* of) const {
      if (s.width < 2 || !(weights[1] > 0.0)) return 0.0;
      const double sum = of[image * sums], moment = of[image * sums + 1];
      const double grows = square(static_cast<double>(p.column) / w.value) - moment / sum;
      return weights[p.column] / sum * (1.0 + sign * grows) / std::sqrt(2.0 * w.value);
    }
  };

 private:
  SOFTSCORE_HD static double square(double x) { return x * x; }

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

 public:  // for kernels, which can use only public types
  struct along_rows {
    std::size_t half, step;  // from one image's kernel to the next's
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t image, const T* x, const double* taps) const {
      const T* row = x + p.channel * s.plane() + p.row * s.width;
      return line(row, p.column, s.width, 1, taps + image * step, half);
    }
  };
  struct along_columns {
    std::size_t half, step;  // from one image's kernel to the next's
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t image, const T* x, const double* taps) const {
      const T* column = x + p.channel * s.plane() + p.column;
      return line(column, p.row, s.height, s.width, taps + image * step, half);
    }
  };
};
static_assert(LinearOperator<gaussian_blur> && DifferentiableInLevel<gaussian_blur> && HasSvd<gaussian_blur>);

}  // namespace softscore::inline SOFTSCORE_ABI
