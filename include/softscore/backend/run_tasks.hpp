#pragma once

#include <cstddef>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Calls body(i) for i = first .. last - 1. There is one copy of its machine code for all callers. A compiler may fuse
// a * b + c * d into one rounding on either side, and copies made for several callers would then differ in the last
// bit.
template <class Body>
#if defined(__GNUC__) && !defined(__clang__)
[[gnu::noipa]]
#else
[[gnu::noinline]]
#endif
void run_tasks(const Body& body, std::size_t first, std::size_t last) {
  for (std::size_t i = first; i < last; ++i) body(i);
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
