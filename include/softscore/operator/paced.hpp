#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/pooled_array.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/level_range.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// An operator family at another pace: its level is `pace` times the level it is given, so that operators with
/// different units can share one level (`composed`, `side_by_side`). It offers everything that `Op` offers.
template <class Op>
class paced {
  static_assert(LinearOperator<Op>, "softscore: this type is not a linear operator: it lacks apply or adjoint");

 public:
  static constexpr bool never_amplifies = NeverAmplifies<Op>;

  /// Throws `error` if the pace is not above 0 and finite.
  paced(Op op, double pace) : op_{std::move(op)}, pace_{pace} {
    require(pace > 0.0 && std::isfinite(pace), "pace", pace, "above 0 and finite");
  }

  template <class Be, Scalar T>
  void apply(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    detail::pooled_array<level> buffer;
    degradation<Op>::apply(op_, be, own(levels, in.extent().images, buffer), in, out);
  }
  template <class Be, Scalar T>
  void adjoint(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    detail::pooled_array<level> buffer;
    degradation<Op>::adjoint(op_, be, own(levels, in.extent().images, buffer), in, out);
  }
  template <class Be, Scalar T>
  void derivative(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const
    requires DifferentiableInLevel<Op, Be, T>
  {
    detail::pooled_array<level> buffer;
    degradation<Op>::derivative(op_, be, own(levels, in.extent().images, buffer), in, out);
    be.combine(out, term{pace_, out});
  }
  double gain(level w) const
    requires ScalarOperator<Op>
  {
    return degradation<Op>::gain(op_, own(w));
  }
  double gain_derivative(level w) const
    requires DifferentiableGain<Op>
  {
    return pace_ * degradation<Op>::gain_derivative(op_, own(w));
  }
  level compose(level first, level second) const
    requires ComposesLevels<Op>
  {
    return level{degradation<Op>::compose(op_, own(first), own(second)).value / pace_};
  }
  auto svd(level w, const shape& image) const
    requires HasSvd<Op>
  {
    return degradation<Op>::svd(op_, own(w), image);
  }

  /// Throws `error` for a level that `Op` does not have at this pace.
  void check_level(level w) const { require_level(op_, own(w)); }

 private:
  level own(level w) const { return level{pace_ * w.value}; }
  per_image<level> own(per_image<level> levels, std::size_t images, detail::pooled_array<level>& buffer) const {
    if (levels.shared()) return own(levels[0]);
    buffer.resize(images);
    for (std::size_t i = 0; i < images; ++i) buffer[i] = own(levels[i]);
    return each_of(buffer);
  }

  Op op_;
  double pace_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
