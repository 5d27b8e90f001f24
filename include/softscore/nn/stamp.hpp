#pragma once

#include <atomic>
#include <cstdint>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

inline constinit std::atomic<std::uint64_t> stamps_given{0};

}  // namespace detail

/// A number that no other call in this process returns, and never 0.
inline std::uint64_t next_stamp() {
  // A program and its libraries may each have a counter of their own (hidden visibility, dlopen), so a stamp starts
  // from the counter's address: 48 bits, of which those of two modules differ by a page of 2^12 bytes or more. That
  // leaves each module 2^28 stamps before it comes to those of another.
  const auto module = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&detail::stamps_given));
  return (module << 16) + ++detail::stamps_given;
}

}  // namespace softscore::inline SOFTSCORE_ABI
