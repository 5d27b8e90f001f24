#pragma once

#include <softscore/core/config.hpp>
#include <softscore/operator/diagonal.hpp>
#include <softscore/operator/level_range.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// C_w = diag(1 - w m): dims the image from the edge inwards, smoothly in the level, which is in [0, 1]
/// (docs/decisions/0005). m is the distance from the image's center in the larger of the two directions, over half the
/// side, below 1. It is the differentiable counterpart of `centered_mask`.
struct fade {
  static constexpr bool never_amplifies = true;
};

template <>
struct degradation<fade> : diagonal<degradation<fade>> {
  /// Throws `error` unless 0 <= level <= 1.
  static void check_level(const fade&, level w) { detail::require_share(w); }
  SOFTSCORE_HD static double entry(const fade&, level w, const shape& s, pixel p) {
    return 1.0 - w.value * dimming(s, p);
  }
  SOFTSCORE_HD static double entry_derivative(const fade&, level, const shape& s, pixel p) { return -dimming(s, p); }

 private:
  SOFTSCORE_HD static double dimming(const shape& s, pixel p) {
    const double vertical = distance(p.row, s.height), horizontal = distance(p.column, s.width);
    return vertical > horizontal ? vertical : horizontal;
  }
  SOFTSCORE_HD static double distance(std::size_t position, std::size_t side) {
    const double twice = 2.0 * static_cast<double>(position) - static_cast<double>(side - 1);
    return (twice < 0.0 ? -twice : twice) / static_cast<double>(side);
  }
};
static_assert(LinearOperator<fade> && HasSvd<fade> && DifferentiableInLevel<fade>);

}  // namespace softscore::inline SOFTSCORE_ABI
