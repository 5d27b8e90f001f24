#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/diagonal_svd.hpp>
#include <softscore/operator/table.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// One element of diag(entry) x; `table` is for operators that look up their entries.
template <class F, class Op>
struct diagonal_body {
  Op op;
  template <class T, class... Table>
  SOFTSCORE_HD T operator()(level w, const shape& s, pixel p, std::size_t, const T* image,
                            const Table*... table) const {
    return static_cast<T>(F::entry(op, w, s, p, table...)) * image[p.offset(s)];
  }
};

// The same for diag(entry_derivative).
template <class F, class Op>
struct diagonal_derivative {
  Op op;
  template <class T, class... Table>
  SOFTSCORE_HD T operator()(level w, const shape& s, pixel p, std::size_t, const T* image,
                            const Table*... table) const {
    return static_cast<T>(F::entry_derivative(op, w, s, p, table...)) * image[p.offset(s)];
  }
};

template <class F, class Op>
concept HasEntryDerivative = requires(const Op op, level w, const shape s, pixel p) {
  F::entry_derivative(op, w, s, p);
} || requires(const Op op, level w, const shape s, pixel p, const double* t) {
  F::entry_derivative(F::parameters(op), w, s, p, t);
};
}  // namespace detail

/// Makes a degradation from a multiplication per pixel. `F` has `static double entry(const Op&, level, const shape&,
/// pixel)`, which is 1 at level 0; the adjoint follows, since a real diagonal matrix is its own. Entries that are
/// expensive to compute come from a table. `F` then also has `static const std::shared_ptr<const std::vector<double>>&
/// table(const Op&)`, and `entry` takes the pointer to the table as a fifth argument, and the result of
/// `F::parameters(op)` instead of the operator. If there is a `static void check(const Op&, const shape&)`, which
/// refuses images of a wrong size, it is called first. An `entry_derivative` with the arguments of `entry` returns d
/// entry/dw and makes the family differentiable.
template <class F>
struct diagonal {
  template <class Op, class Be, Scalar T>
  static void apply(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    multiply<detail::diagonal_body, T>(op, be, levels, in, out);
  }
  template <class Op, class Be, Scalar T>
  static void adjoint(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    apply<Op, Be, T>(op, be, levels, in, out);
  }
  template <class Op, class Be, Scalar T>
    requires detail::HasEntryDerivative<F, Op>
  static void derivative(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    multiply<detail::diagonal_derivative, T>(op, be, levels, in, out);
  }
  /// The modes are the pixels.
  template <class Op>
  static diagonal_svd svd(const Op& op, level w, const shape& image) {
    if constexpr (requires { F::check(op, image); }) F::check(op, image);
    std::vector<double> entries;
    entries.reserve(image.per_image());
    for (std::size_t c = 0; c < image.channels; ++c)
      for (std::size_t y = 0; y < image.height; ++y)
        for (std::size_t x = 0; x < image.width; ++x) {
          const pixel p{c, y, x};
          if constexpr (detail::HasTable<F, Op>)
            entries.push_back(F::entry(F::parameters(op), w, image, p, F::table(op)->data()));
          else
            entries.push_back(F::entry(op, w, image, p));
        }
    return diagonal_svd{std::move(entries)};
  }

 private:
  template <template <class, class> class Body, Scalar T, class Op, class Be>
  static void multiply(const Op& op, Be& be, per_image<level> levels, view_of<Be, const T> in, view_of<Be, T> out) {
    if constexpr (requires { F::check(op, in.extent()); }) F::check(op, in.extent());
    if constexpr (detail::HasTable<F, Op>) {
      // The body is copied to the device without the operator, which may own memory of which there is no copy.
      be.each_pixel(Body<F, decltype(F::parameters(op))>{F::parameters(op)}, levels, in, out,
                    be.constant(F::table(op)));
    } else {
      be.each_pixel(Body<F, Op>{op}, levels, in, out);
    }
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
