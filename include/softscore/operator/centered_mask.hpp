#pragma once

#include <cstddef>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/diagonal.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Keeps a centered rectangle and sets the rest to 0 (Daras et al. 2022, Appendix G). Level w removes round(w) rows and
/// columns: a square image of side n keeps a square of side n - round(w), and nothing from w = n on. It is a
/// projection; the levels are discrete, so C_t jumps in t.
struct centered_mask {
  static constexpr bool never_amplifies = true;
};

template <>
struct degradation<centered_mask> : diagonal<degradation<centered_mask>> {
  SOFTSCORE_HD static double entry(const centered_mask&, level w, const shape& s, pixel p) {
    const auto taken = static_cast<std::size_t>(w.value + 0.5);
    return kept(taken, s.height, p.row) && kept(taken, s.width, p.column) ? 1.0 : 0.0;
  }
  /// What the larger level keeps is inside what the smaller one keeps.
  static level compose(const centered_mask&, level first, level second) { return first > second ? first : second; }

 private:
  SOFTSCORE_HD static bool kept(std::size_t taken, std::size_t side, std::size_t position) {
    return taken < side && position >= taken / 2 && position < taken / 2 + (side - taken);
  }
};
static_assert(LinearOperator<centered_mask> && HasSvd<centered_mask> && ComposesLevels<centered_mask>);

}  // namespace softscore::inline SOFTSCORE_ABI
