#pragma once

#include <softscore/core/config.hpp>
#include <softscore/core/quantity.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Whether f falls at every one of 64 steps from time 0 to time 1.
template <class F>
constexpr bool falls_over_time(F f) {
  for (int i = 1; i <= 64; ++i)
    if (!(f(diffusion_time{i / 64.0}) < f(diffusion_time{(i - 1) / 64.0}))) return false;
  return true;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
