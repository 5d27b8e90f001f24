#pragma once

#include <cstddef>

#include <softscore/core/config.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/table.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// What is computed for one output pixel.
struct of_apply {
  template <class F, class... Arguments>
  SOFTSCORE_HD static auto ask(const Arguments&... arguments) {
    return F::apply_pixel(arguments...);
  }
};
struct of_adjoint {
  template <class F, class... Arguments>
  SOFTSCORE_HD static auto ask(const Arguments&... arguments) {
    return F::adjoint_pixel(arguments...);
  }
};
struct of_derivative {
  template <class F, class... Arguments>
  SOFTSCORE_HD static auto ask(const Arguments&... arguments) {
    return F::derivative_pixel(arguments...);
  }
};

template <class F, class Op, class What>
struct gathered_body {
  Op op;
  template <class T, class... Table>
  SOFTSCORE_HD T operator()(level w, const shape& s, pixel p, std::size_t, const T* image,
                            const Table*... table) const {
    return static_cast<T>(What::template ask<F>(op, w, s, p, image, table...));
  }
};

template <class F, class Op, class T>
concept HasDerivativePixel = requires(const Op op, level w, const shape s, pixel p, const T* image) {
  F::derivative_pixel(op, w, s, p, image);
} || requires(const Op op, level w, const shape s, pixel p, const T* image, const double* table) {
  F::derivative_pixel(F::parameters(op), w, s, p, image, table);
};
}  // namespace detail

/// Makes a degradation from a rule for one output pixel. `F` has `static T apply_pixel(const Op&, level, const shape&,
/// pixel, const T* image)`, which reads the image's elements (channels x height x width) and returns the pixel of C_w
/// image, and likewise `adjoint_pixel` for the transpose; a `derivative_pixel` for dC_w/dw is optional. For an operator
/// with a table of numbers, `F` has `table(const Op&)` and `parameters(const Op&)` as for `diagonal`: the three
/// functions then take the parameters instead of the operator, and a pointer to the table as their last argument.
template <class F>
struct gathered {
  template <class Op, class Be, Scalar T>
  static void apply(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    gather<detail::of_apply, T>(op, be, levels, in, out);
  }
  template <class Op, class Be, Scalar T>
  static void adjoint(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    gather<detail::of_adjoint, T>(op, be, levels, in, out);
  }
  template <class Op, class Be, Scalar T>
    requires detail::HasDerivativePixel<F, Op, T>
  static void derivative(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    gather<detail::of_derivative, T>(op, be, levels, in, out);
  }

 private:
  template <class What, Scalar T, class Op, class Be>
  static void gather(const Op& op, Be& be, per_image<level> levels, view_of<Be, const T> in, view_of<Be, T> out) {
    if constexpr (detail::HasTable<F, Op>) {
      be.each_pixel(detail::gathered_body<F, decltype(F::parameters(op)), What>{F::parameters(op)}, levels, in, out,
                    be.constant(F::table(op)));
    } else {
      be.each_pixel(detail::gathered_body<F, Op, What>{op}, levels, in, out);
    }
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
