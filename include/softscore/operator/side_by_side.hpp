#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/level_range.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Two families at one level on different channels: A on the first `channels` of an image, B on all others. The shape
/// does not change. Images are processed one by one, since the channels of several images are not contiguous.
template <class A, class B>
class side_by_side {
  static_assert(LinearOperator<A> && LinearOperator<B>,
                "softscore: this type is not a linear operator: it lacks apply or adjoint");

 public:
  static constexpr bool never_amplifies = NeverAmplifies<A> && NeverAmplifies<B>;

  /// Throws `error` if `channels` is 0; images must have more channels than that.
  side_by_side(A first, B second, std::size_t channels = 1)
      : first_{std::move(first)}, second_{std::move(second)}, channels_{channels} {
    require(channels >= 1, "channels of the first operator", channels, "at least 1");
  }

  template <class Be, Scalar T>
  void apply(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    each_part<T>(be, in, out, [&](const auto& op, std::size_t image, view_of<Be, const T> x, view_of<Be, T> y) {
      degradation<std::remove_cvref_t<decltype(op)>>::apply(op, be, per_image<level>{levels[image]}, x, y);
    });
  }
  template <class Be, Scalar T>
  void adjoint(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    each_part<T>(be, in, out, [&](const auto& op, std::size_t image, view_of<Be, const T> x, view_of<Be, T> y) {
      degradation<std::remove_cvref_t<decltype(op)>>::adjoint(op, be, per_image<level>{levels[image]}, x, y);
    });
  }
  template <class Be, Scalar T>
  void derivative(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const
    requires(DifferentiableInLevel<A, Be, T> && DifferentiableInLevel<B, Be, T>)
  {
    each_part<T>(be, in, out, [&](const auto& op, std::size_t image, view_of<Be, const T> x, view_of<Be, T> y) {
      degradation<std::remove_cvref_t<decltype(op)>>::derivative(op, be, per_image<level>{levels[image]}, x, y);
    });
  }

  /// Throws `error` for a level that one of the two does not have.
  void check_level(level w) const {
    require_level(first_, w);
    require_level(second_, w);
  }

 private:
  template <Scalar T, class Be, class Body>
  void each_part(Be&, view_of<Be, const T> in, view_of<Be, T> out, const Body& body) const {
    const shape& s = in.extent();
    require(s.channels > channels_, "number of channels", s.channels, "above that of the first operator");
    const shape head{1, channels_, s.height, s.width}, tail{1, s.channels - channels_, s.height, s.width};
    for (std::size_t i = 0; i < s.images; ++i) {
      const std::size_t at = i * s.per_image(), behind = at + head.size();
      body(first_, i, in.slice(at, head), out.slice(at, head));
      body(second_, i, in.slice(behind, tail), out.slice(behind, tail));
    }
  }

  A first_;
  B second_;
  std::size_t channels_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
