#pragma once

#include <cstddef>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Two measurements of one image, one below the other: M = (A_w; B_w). Images of c channels give measurements of 2 c
/// channels, A's before B's. It changes the shape, so it is not an operator family: it can measure, but not corrupt.
template <class A, class B>
class stacked {
  static_assert(LinearOperator<A> && LinearOperator<B>,
                "softscore: this type is not a linear operator: it lacks apply or adjoint");

 public:
  stacked(A first, B second) : first_{std::move(first)}, second_{std::move(second)} {}

  /// The extent of measurements for images of that extent.
  static constexpr shape measured(const shape& image) {
    return {image.images, 2 * image.channels, image.height, image.width};
  }

  /// Stores M in into `out`; throws `error` unless `out` has twice the channels of `in` and otherwise the same extent.
  template <class Be, Scalar T>
  void measure(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    check(in.extent(), out.extent());
    const shape one = in.extent().with_images(1);
    for (std::size_t i = 0; i < in.extent().images; ++i) {
      const per_image<level> at{levels[i]};
      degradation<A>::apply(first_, be, at, in.images(i, 1), out.slice(2 * i * one.size(), one));
      degradation<B>::apply(second_, be, at, in.images(i, 1), out.slice((2 * i + 1) * one.size(), one));
    }
  }

  /// Stores the transpose of M times in, A^T y_A + B^T y_B, into `out`; throws `error` unless `in` has twice the
  /// channels of `out` and otherwise the same extent.
  template <class Be, Scalar T>
  void measure_adjoint(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    check(out.extent(), in.extent());
    const shape one = out.extent().with_images(1);
    auto other = be.template make<T>(out.extent());
    for (std::size_t i = 0; i < out.extent().images; ++i) {
      const per_image<level> at{levels[i]};
      degradation<A>::adjoint(first_, be, at, in.slice(2 * i * one.size(), one), out.images(i, 1));
      degradation<B>::adjoint(second_, be, at, in.slice((2 * i + 1) * one.size(), one), other.view().images(i, 1));
    }
    be.combine(out, term{1.0, out}, term{1.0, other.view()});
  }

 private:
  static void check(const shape& image, const shape& measurement) {
    if (measurement != measured(image))
      reject("extent of the measurement", measurement, "that of the images, with twice the channels");
  }

  A first_;
  B second_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
