#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/core/config.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/operator/diagonal.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Hides pixels drawn at random, each in all channels (a family of our own): every pixel has a uniform number of the
/// key, and level w, from 0 to 1, hides those whose number is below w. So w is the average share of hidden pixels, what
/// one level hides stays hidden at all higher ones, and every image of a run has the same mask. The levels are
/// discrete, so C_t jumps in t.
struct random_mask {
  noise_key key{};
  static constexpr bool never_amplifies = true;
};

template <>
struct degradation<random_mask> : diagonal<degradation<random_mask>> {
  SOFTSCORE_HD static double entry(const random_mask& op, level w, const shape& s, pixel p) {
    return uniform(op.key, 0, static_cast<std::uint32_t>(p.row * s.width + p.column)) < w.value ? 0.0 : 1.0;
  }
  static level compose(const random_mask&, level first, level second) { return first > second ? first : second; }
};
static_assert(LinearOperator<random_mask> && ComposesLevels<random_mask> && HasSvd<random_mask>);

}  // namespace softscore::inline SOFTSCORE_ABI
