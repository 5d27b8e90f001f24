#pragma once

#include <complex>
#include <cstddef>
#include <memory>
#include <numbers>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/operator/fourier_svd.hpp>
#include <softscore/operator/gathered.hpp>
#include <softscore/operator/kernel_blur.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// `kernel_blur` of an image that repeats periodically beyond its edges: a bright pixel becomes the kernel, wrapped
/// around. Level w, from 0 to 1, mixes it in, C_w = (1 - w) I + w K. Its singular values are the absolute values of its
/// transfer function, 1 - w + w sum_d k(d) exp(-2 pi i f . d).
class periodic_blur : public detail::kernel_weights {
 public:
  using kernel_weights::kernel_weights;
};

template <>
struct degradation<periodic_blur> : gathered<degradation<periodic_blur>> {
  using sides = detail::kernel_weights::extent;
  static sides parameters(const periodic_blur& op) { return op.sides(); }
  static const std::shared_ptr<const std::vector<double>>& table(const periodic_blur& op) { return op.weights(); }

  template <class T>
  SOFTSCORE_HD static T apply_pixel(sides k, level w, const shape& s, pixel p, const T* image, const double* weights) {
    const T own = image[p.offset(s)];
    return own + static_cast<T>(w.value) * (sum<true>(k, s, p, image, weights) - own);
  }
  template <class T>
  SOFTSCORE_HD static T adjoint_pixel(sides k, level w, const shape& s, pixel p, const T* image,
                                      const double* weights) {
    const T own = image[p.offset(s)];
    return own + static_cast<T>(w.value) * (sum<false>(k, s, p, image, weights) - own);
  }
  template <class T>
  SOFTSCORE_HD static T derivative_pixel(sides k, level, const shape& s, pixel p, const T* image,
                                         const double* weights) {
    return sum<true>(k, s, p, image, weights) - image[p.offset(s)];
  }
  template <class = when_called>
  static fourier_svd svd(const periodic_blur& op, level w, const shape& image) {
    const auto down = static_cast<std::ptrdiff_t>(op.sides().height / 2);
    const auto across = static_cast<std::ptrdiff_t>(op.sides().width / 2);
    return {image, [&](std::ptrdiff_t i, std::ptrdiff_t j) {
              std::complex<double> sum{};
              std::size_t tap = 0;
              for (std::ptrdiff_t y = -down; y <= down; ++y)
                for (std::ptrdiff_t x = -across; x <= across; ++x)
                  sum +=
                      (*op.weights())[tap++] *
                      std::polar(1.0, -2.0 * std::numbers::pi * (turns(i, y, image.height) + turns(j, x, image.width)));
              return 1.0 + w.value * (sum - 1.0);
            }};
  }

 private:
  // The fractional part of a number of turns.
  static double turns(std::ptrdiff_t periods, std::ptrdiff_t place, std::size_t side) {
    const auto n = static_cast<std::ptrdiff_t>(side);
    return static_cast<double>(periods * place % n) / static_cast<double>(n);
  }
  // Offset d of the kernel is at the pixel p - d for a convolution, at p + d for its transpose. Whole turns are added
  // so that no position is negative.
  SOFTSCORE_HD static std::size_t wrapped(std::size_t position, std::size_t tap, std::size_t half, bool mirrored,
                                          std::size_t side) {
    const std::size_t ahead =
        mirrored ? half + position + (tap / side + 1) * side - tap : position + tap + (half / side + 1) * side - half;
    return ahead % side;
  }
  template <bool Mirrored, class T>
  SOFTSCORE_HD static T sum(sides k, const shape& s, pixel p, const T* image, const double* weights) {
    const T* plane = image + p.channel * s.plane();
    T total{};
    for (std::size_t y = 0; y < k.height; ++y) {
      const T* row = plane + wrapped(p.row, y, k.height / 2, Mirrored, s.height) * s.width;
      for (std::size_t x = 0; x < k.width; ++x)
        total += static_cast<T>(weights[y * k.width + x]) * row[wrapped(p.column, x, k.width / 2, Mirrored, s.width)];
    }
    return total;
  }
};
static_assert(LinearOperator<periodic_blur> && DifferentiableInLevel<periodic_blur> && HasSvd<periodic_blur>);

}  // namespace softscore::inline SOFTSCORE_ABI
