#pragma once

#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/diagonal_svd.hpp>
#include <softscore/operator/level_range.hpp>
#include <softscore/operator/scaled_svd.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Two families at one level, one after the other: C_w = A_w B_w, written `A * B`. Each acts at the level that it is
/// given; `paced` matches their units. The composition is smooth if both are, a number times the identity if both are,
/// and never amplifies if neither does. It has an SVD if one is a number or both are diagonal.
template <class A, class B>
class composed {
 public:
  static constexpr bool never_amplifies = NeverAmplifies<A> && NeverAmplifies<B>;

  /// `second` acts on the result of `first`.
  composed(A second, B first) : second_{std::move(second)}, first_{std::move(first)} {}

  template <class Be, Scalar T>
  void apply(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    auto between = be.template make<T>(in.extent());
    degradation<B>::apply(first_, be, levels, in, between.view());
    degradation<A>::apply(second_, be, levels, between.view(), out);
  }
  template <class Be, Scalar T>
  void adjoint(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    auto between = be.template make<T>(in.extent());
    degradation<A>::adjoint(second_, be, levels, in, between.view());
    degradation<B>::adjoint(first_, be, levels, between.view(), out);
  }
  /// A' B + A B'.
  template <class Be, Scalar T>
  void derivative(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const
    requires(DifferentiableInLevel<A, Be, T> && DifferentiableInLevel<B, Be, T>)
  {
    auto between = be.template make<T>(in.extent()), other = be.template make<T>(in.extent());
    degradation<B>::apply(first_, be, levels, in, between.view());
    degradation<A>::derivative(second_, be, levels, between.view(), out);
    degradation<B>::derivative(first_, be, levels, in, between.view());
    degradation<A>::apply(second_, be, levels, between.view(), other.view());
    be.combine(out, term{1.0, out}, term{1.0, other.view()});
  }
  double gain(level w) const
    requires(ScalarOperator<A> && ScalarOperator<B>)
  {
    return degradation<A>::gain(second_, w) * degradation<B>::gain(first_, w);
  }
  double gain_derivative(level w) const
    requires(DifferentiableGain<A> && DifferentiableGain<B>)
  {
    return degradation<A>::gain_derivative(second_, w) * degradation<B>::gain(first_, w) +
           degradation<A>::gain(second_, w) * degradation<B>::gain_derivative(first_, w);
  }
  auto svd(level w, const shape& image) const
    requires((ScalarOperator<A> && HasSvd<B>) || (ScalarOperator<B> && HasSvd<A>) || (IsDiagonal<A> && IsDiagonal<B>))
  {
    if constexpr (IsDiagonal<A> && IsDiagonal<B>) {
      auto entries = degradation<A>::svd(second_, w, image).entries();
      const auto more = degradation<B>::svd(first_, w, image).entries();
      for (std::size_t i = 0; i < entries.size(); ++i) entries[i] *= more[i];
      return diagonal_svd{std::move(entries)};
    } else if constexpr (ScalarOperator<A>) {
      return scaled_svd{degradation<A>::gain(second_, w), degradation<B>::svd(first_, w, image)};
    } else {
      return scaled_svd{degradation<B>::gain(first_, w), degradation<A>::svd(second_, w, image)};
    }
  }

  /// Throws `error` for a level that one of the two does not have.
  void check_level(level w) const {
    require_level(first_, w);
    require_level(second_, w);
  }

 private:
  A second_;
  B first_;
};

/// `A * B` acts as B, then as A.
template <class A, class B>
  requires(LinearOperator<A> && LinearOperator<B>)
composed<A, B> operator*(A second, B first) {
  return {std::move(second), std::move(first)};
}

}  // namespace softscore::inline SOFTSCORE_ABI
