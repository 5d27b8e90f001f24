#pragma once

#include <concepts>
#include <memory>
#include <vector>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// `F::table(op)` holds numbers that an operator looks up: the helpers pass their address to the functions of F.
template <class F, class Op>
concept HasTable = requires(const Op op) {
  { F::table(op) } -> std::same_as<const std::shared_ptr<const std::vector<double>>&>;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
