#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/kronecker_svd.hpp>
#include <softscore/operator/transform_axis.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// Row i, column k of an axis' table: element i of mode k.
template <class F>
struct fill_modes {
  SOFTSCORE_HD double operator()(level, const shape& s, pixel p, std::size_t, const double*) const {
    return F::mode(s.width, p.row, p.column);
  }
};
// The change of the modes: C - I is small if C is close to the identity, and exactly 0 at level 0.
template <class F, class Op>
struct mode_change {
  Op op;
  SOFTSCORE_HD double operator()(level w, const shape& s, pixel p, std::size_t, const double*) const {
    return F::mode_gain(op, w, s, p) - 1.0;
  }
};
template <class F, class Op>
struct mode_change_derivative {
  Op op;
  SOFTSCORE_HD double operator()(level w, const shape& s, pixel p, std::size_t, const double*) const {
    return F::mode_gain_derivative(op, w, s, p);
  }
};
// Modes times a table of numbers; each image's numbers are `each` elements after the previous image's.
struct scale_modes {
  std::size_t each;
  template <class T>
  SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t image, const T* modes,
                            const double* table) const {
    return static_cast<T>(table[image * each + p.offset(s)]) * modes[p.offset(s)];
  }
};
template <class F, class Op>
concept HasModeGainDerivative =
    requires(const Op op, level w, const shape s, pixel p) { F::mode_gain_derivative(op, w, s, p); };
}  // namespace detail

/// Makes a degradation from a number per mode, for modes that are products of one along rows and one along columns. `F`
/// has `static double mode(std::size_t n, std::size_t i, std::size_t k)`, element i of mode k of n, orthonormal, and
/// `static double mode_gain(const Op&, level, const shape&, pixel mode)`, which is 1 at level 0; a
/// `mode_gain_derivative` with the same arguments makes the family differentiable. Such a map is symmetric, so it is
/// its own adjoint. A pass along an axis costs its length per pixel, and there are four passes.
template <class F>
struct spectral {
  template <class Op, class Be, Scalar T>
  static void apply(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    in_modes<T>(be, detail::mode_change<F, Op>{op}, levels, in, out);
    be.combine(out, term{1.0, out}, term_of<Be, T>{1.0, in});
  }
  template <class Op, class Be, Scalar T>
  static void adjoint(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    apply<Op, Be, T>(op, be, levels, in, out);
  }
  template <class Op, class Be, Scalar T>
    requires detail::HasModeGainDerivative<F, Op>
  static void derivative(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    in_modes<T>(be, detail::mode_change_derivative<F, Op>{op}, levels, in, out);
  }
  /// Negative gains are not supported.
  template <class Op>
  static kronecker_svd svd(const Op& op, level w, const shape& image) {
    const auto along = [](std::size_t n) {
      std::vector<double> modes(n * n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < n; ++k) modes[i * n + k] = F::mode(n, i, k);
      return kronecker_svd::axis{{modes, {}, modes}};
    };
    std::vector<double> values;
    values.reserve(image.per_image());
    for (std::size_t c = 0; c < image.channels; ++c)
      for (std::size_t y = 0; y < image.height; ++y)
        for (std::size_t x = 0; x < image.width; ++x) values.push_back(F::mode_gain(op, w, image, pixel{c, y, x}));
    return {{}, along(image.height), along(image.width), std::move(values)};
  }

 private:
  template <Scalar T, class Be, class Body>
  static void in_modes(Be& be, const Body& body, per_image<level> levels, view_of<Be, const T> in, view_of<Be, T> out) {
    const shape& s = in.extent();
    auto rows = modes(be, s.height), columns = modes(be, s.width);
    const view_of<Be, const double> down = rows.view(), across = columns.view();
    auto scratch = be.template make<T>(s);
    const view_of<Be, T> other = scratch.view();
    detail::transform_axis<true, T>(be, detail::image_axis::rows, down, 0, in, other);
    detail::transform_axis<true, T>(be, detail::image_axis::columns, across, 0, other, out);
    // One table for a shared level, as a sampler has: exponentials are expensive.
    auto changes = be.template make<double>(s.with_images(levels.shared() ? 1 : s.images));
    be.each_pixel(body, levels, view_of<Be, const double>(changes.view()), changes.view());
    be.each_pixel(detail::scale_modes{levels.shared() ? 0 : s.per_image()}, levels, view_of<Be, const T>(out), other,
                  view_of<Be, const double>(changes.view()));
    detail::transform_axis<false, T>(be, detail::image_axis::columns, across, 0, other, out);
    be.combine(other, term{1.0, out});
    detail::transform_axis<false, T>(be, detail::image_axis::rows, down, 0, other, out);
  }
  template <class Be>
  static array_of<Be, double> modes(Be& be, std::size_t n) {
    auto table = be.template make<double>(shape{1, 1, n, n});
    be.each_pixel(detail::fill_modes<F>{}, per_image<level>{level{}}, view_of<Be, const double>(table.view()),
                  table.view());
    return table;
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
