#pragma once

#include <atomic>
#include <cstdint>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A number that no other call in this process returns, and never 0.
inline std::uint64_t next_stamp() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace softscore::inline SOFTSCORE_ABI
