#pragma once

#include <atomic>
#include <cstdint>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

alignas(64) inline constinit std::atomic<std::uint64_t> stamps_given{0};

}  // namespace detail

/// A number that no other call in this process returns, and never 0.
inline std::uint64_t next_stamp() {
  // A program and its libraries may each have their own counter (hidden visibility, dlopen), so a stamp starts from the
  // counter's address, which has 48 bits. Two counters are 64 bytes apart in one module and a page apart in two, so
  // they give 2^22 and 2^28 stamps before one reaches those of the other.
  const auto module = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&detail::stamps_given));
  return (module << 16) + ++detail::stamps_given;
}

}  // namespace softscore::inline SOFTSCORE_ABI
