#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/gathered.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// The weights of a kernel, shared by copies.
class kernel_weights {
 public:
  /// `weights` are height x width numbers, row by row; the middle one is for the pixel itself. Throws `error` if a side
  /// is even, if there are fewer or more weights, or if one is not finite.
  template <class = when_called>
  kernel_weights(std::size_t height, std::size_t width, std::vector<double> weights) : sides_{height, width} {
    require(height % 2 == 1, "height of the kernel", height, "odd");
    require(width % 2 == 1, "width of the kernel", width, "odd");
    require(weights.size() == height * width, "number of weights", weights.size(), "height times width");
    for (const double v : weights) require(std::isfinite(v), "a weight of the kernel", v, "finite");
    weights_ = std::make_shared<const std::vector<double>>(std::move(weights));
  }

  struct extent {
    std::size_t height, width;
  };
  const extent& sides() const { return sides_; }
  const std::shared_ptr<const std::vector<double>>& weights() const { return weights_; }

 private:
  extent sides_;
  std::shared_ptr<const std::vector<double>> weights_;
};
}  // namespace detail

/// Convolution with a kernel given by the user, with zeros outside the image: a bright pixel becomes the kernel. Level
/// w, from 0 to 1, mixes it in: C_w = (1 - w) I + w K, which is the identity at 0 and smooth in w for every kernel.
/// Stretching the kernel with the level instead would require interpolation.
class kernel_blur : public detail::kernel_weights {
 public:
  using kernel_weights::kernel_weights;
};

template <>
struct degradation<kernel_blur> : gathered<degradation<kernel_blur>> {
  using sides = detail::kernel_weights::extent;
  static sides parameters(const kernel_blur& op) { return op.sides(); }
  static const std::shared_ptr<const std::vector<double>>& table(const kernel_blur& op) { return op.weights(); }

  template <class T>
  SOFTSCORE_HD static T apply_pixel(sides k, level w, const shape& s, pixel p, const T* image, const double* weights) {
    return mixed(w, image[p.offset(s)], sum<true>(k, s, p, image, weights));
  }
  template <class T>
  SOFTSCORE_HD static T adjoint_pixel(sides k, level w, const shape& s, pixel p, const T* image,
                                      const double* weights) {
    return mixed(w, image[p.offset(s)], sum<false>(k, s, p, image, weights));
  }
  template <class T>
  SOFTSCORE_HD static T derivative_pixel(sides k, level, const shape& s, pixel p, const T* image,
                                         const double* weights) {
    return sum<true>(k, s, p, image, weights) - image[p.offset(s)];
  }

 private:
  template <class T>
  SOFTSCORE_HD static T mixed(level w, T own, T blurred) {
    return static_cast<T>(1.0 - w.value) * own + static_cast<T>(w.value) * blurred;
  }

  // Offset d of the kernel is at the pixel p - d for a convolution, at p + d for its transpose. Along one direction,
  // offsets run from -half to half, without those outside the image.
  struct range {
    std::ptrdiff_t first, last;
  };
  template <bool Mirrored>
  SOFTSCORE_HD static range inside(std::size_t kernel, std::size_t position, std::size_t side) {
    const auto half = static_cast<std::ptrdiff_t>(kernel / 2), at = static_cast<std::ptrdiff_t>(position);
    const std::ptrdiff_t before = at, after = static_cast<std::ptrdiff_t>(side) - 1 - at;
    const std::ptrdiff_t low = Mirrored ? after : before, high = Mirrored ? before : after;
    return {-(low < half ? low : half), high < half ? high : half};
  }
  template <bool Mirrored, class T>
  SOFTSCORE_HD static T sum(sides k, const shape& s, pixel p, const T* image, const double* weights) {
    const range rows = inside<Mirrored>(k.height, p.row, s.height);
    const range columns = inside<Mirrored>(k.width, p.column, s.width);
    const std::ptrdiff_t width = static_cast<std::ptrdiff_t>(s.width), turn = Mirrored ? -1 : 1;
    const T* center = image + p.offset(s);
    const double* middle = weights + (k.height * k.width) / 2;
    T total{};
    for (std::ptrdiff_t y = rows.first; y <= rows.last; ++y)
      for (std::ptrdiff_t x = columns.first; x <= columns.last; ++x)
        total += static_cast<T>(middle[y * static_cast<std::ptrdiff_t>(k.width) + x]) * center[turn * (y * width + x)];
    return total;
  }
};
static_assert(LinearOperator<kernel_blur> && DifferentiableInLevel<kernel_blur>);

}  // namespace softscore::inline SOFTSCORE_ABI
