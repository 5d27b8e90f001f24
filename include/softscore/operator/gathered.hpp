#pragma once

#include <cstddef>

#include <softscore/operator/concept.hpp>

namespace softscore {

namespace detail {
template <class F, class Op>
struct gathered_apply {
  Op op;
  template <class T>
  SOFTSCORE_HD T operator()(level w, const shape& s, pixel p, std::size_t, const T* image) const {
    return static_cast<T>(F::apply_pixel(op, w, s, p, image));
  }
};
template <class F, class Op>
struct gathered_adjoint {
  Op op;
  template <class T>
  SOFTSCORE_HD T operator()(level w, const shape& s, pixel p, std::size_t, const T* image) const {
    return static_cast<T>(F::adjoint_pixel(op, w, s, p, image));
  }
};
template <class F, class Op>
struct gathered_derivative {
  Op op;
  template <class T>
  SOFTSCORE_HD T operator()(level w, const shape& s, pixel p, std::size_t, const T* image) const {
    return static_cast<T>(F::derivative_pixel(op, w, s, p, image));
  }
};
template <class F, class Op, class T>
concept HasDerivativePixel =
    requires(const Op op, level w, const shape s, pixel p, const T* image) { F::derivative_pixel(op, w, s, p, image); };
}  // namespace detail

/// Makes a degradation of a rule for one output pixel. `F` gives `static T apply_pixel(const Op&, level, const shape&,
/// pixel, const T* image)`, which reads the image's elements (channels x height x width) and returns the pixel of C_w
/// image, and `adjoint_pixel` likewise for the transpose; a `derivative_pixel` for dC_w/dw is optional.
template <class F>
struct gathered {
  template <class Op, class Be, Scalar T>
  static void apply(const Op& op, Be& be, per_image<level> levels, const_view<T, typename Be::space> in,
                    view<T, typename Be::space> out) {
    be.each_pixel(detail::gathered_apply<F, Op>{op}, levels, in, out);
  }
  template <class Op, class Be, Scalar T>
  static void adjoint(const Op& op, Be& be, per_image<level> levels, const_view<T, typename Be::space> in,
                      view<T, typename Be::space> out) {
    be.each_pixel(detail::gathered_adjoint<F, Op>{op}, levels, in, out);
  }
  template <class Op, class Be, Scalar T>
    requires detail::HasDerivativePixel<F, Op, T>
  static void derivative(const Op& op, Be& be, per_image<level> levels, const_view<T, typename Be::space> in,
                         view<T, typename Be::space> out) {
    be.each_pixel(detail::gathered_derivative<F, Op>{op}, levels, in, out);
  }
};

}  // namespace softscore
