#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/pooled_array.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/diagonal_svd.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// C_w = exp(-w) I: the shrinking signal of variance-preserving diffusion, whose a_t corresponds to level -log a_t.
struct scaling {
  static constexpr bool never_amplifies = true;
  /// The gain is exp(-w): where w is infinite, a schedule may know its rate, which the chain rule does not give.
  static constexpr bool exponential_gain = true;

  template <class Be, Scalar T>
  void apply(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    multiply<T>(be, 1.0, levels, in, out);
  }
  template <class Be, Scalar T>
  void adjoint(Be& be, per_image<level> w, in_of<Be, T> in, out_of<Be, T> out) const {
    apply<Be, T>(be, w, in, out);
  }
  template <class Be, Scalar T>
  void derivative(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    multiply<T>(be, -1.0, levels, in, out);
  }
  double gain(level w) const { return std::exp(-w.value); }
  double gain_derivative(level w) const { return -std::exp(-w.value); }
  template <class = when_called>
  diagonal_svd svd(level w, const shape& image) const {
    return diagonal_svd{std::vector<double>(image.per_image(), gain(w))};
  }
  level compose(level first, level second) const { return {first.value + second.value}; }

 private:
  template <Scalar T, class Be>
  void multiply(Be& be, double sign, per_image<level> levels, view_of<Be, const T> in, view_of<Be, T> out) const {
    using one = term_of<Be, T>;
    if (levels.shared()) {
      be.combine(out, one{sign * gain(levels[0]), in});
    } else {
      detail::pooled_array<double> gains{in.extent().images};
      for (std::size_t i = 0; i < gains.size(); ++i) gains[i] = sign * gain(levels[i]);
      be.combine(out, one{each_of(gains), in});
    }
  }
};
static_assert(LinearOperator<scaling> && ScalarOperator<scaling> && ComposesLevels<scaling>);
static_assert(DifferentiableInLevel<scaling> && HasSvd<scaling>);

}  // namespace softscore::inline SOFTSCORE_ABI
