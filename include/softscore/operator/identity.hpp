#pragma once

#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/diagonal_svd.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// C_w = I at every level: corruption by noise alone.
struct identity {
  static constexpr bool never_amplifies = true;

  template <class Be, Scalar T>
  void apply(Be& be, per_image<level>, in_of<Be, T> in, out_of<Be, T> out) const {
    be.combine(out, term_of<Be, T>{1.0, in});
  }
  template <class Be, Scalar T>
  void adjoint(Be& be, per_image<level> w, in_of<Be, T> in, out_of<Be, T> out) const {
    apply<Be, T>(be, w, in, out);
  }
  template <class Be, Scalar T>
  void derivative(Be& be, per_image<level>, in_of<Be, T> in, out_of<Be, T> out) const {
    be.combine(out, term_of<Be, T>{0.0, in});
  }
  double gain(level) const { return 1.0; }
  double gain_derivative(level) const { return 0.0; }
  template <class = when_called>
  diagonal_svd svd(level, const shape& image) const {
    return diagonal_svd{std::vector<double>(image.per_image(), 1.0)};
  }
  level compose(level, level second) const { return second; }
};
static_assert(LinearOperator<identity> && ScalarOperator<identity> && ComposesLevels<identity>);
static_assert(DifferentiableInLevel<identity> && HasSvd<identity>);

}  // namespace softscore::inline SOFTSCORE_ABI
