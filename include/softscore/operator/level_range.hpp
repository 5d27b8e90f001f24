#pragma once

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// `degradation<Op>::check_level(op, w)` throws for a level that the family does not have. Optional; corruptions and
/// measurements call it when they are made, `apply` does not.
template <class Op>
concept ChecksLevel = requires(const Op op, level w) { degradation<Op>::check_level(op, w); };

/// Throws `error` for a level that the family does not have; does nothing if the family has no check.
template <class Op>
void require_level(const Op& op, level w) {
  if constexpr (ChecksLevel<Op>) degradation<Op>::check_level(op, w);
}

namespace detail {
// For families whose last level is 1.
inline void require_share(level w) {
  require(w.value >= 0.0 && w.value <= 1.0, "level of the operator", w.value, "between 0 and 1");
}
}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
