#pragma once

#include <array>
#include <cstdint>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Philox4x32-10 (Salmon et al. 2011): ten rounds turn a 128-bit counter under a 64-bit key into four independent
/// uniform 32-bit words. The function is pure, so the words of a stream can be computed in any order.
SOFTSCORE_HD constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                                           std::array<std::uint32_t, 2> key) {
  std::uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  std::uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p = std::uint64_t{0xD2511F53u} * c0;
    const std::uint64_t q = std::uint64_t{0xCD9E8D57u} * c2;
    const auto p_high = static_cast<std::uint32_t>(p >> 32), p_low = static_cast<std::uint32_t>(p);
    const auto q_high = static_cast<std::uint32_t>(q >> 32), q_low = static_cast<std::uint32_t>(q);
    c0 = q_high ^ c1 ^ k0;
    c1 = q_low;
    c2 = p_high ^ c3 ^ k1;
    c3 = p_low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {c0, c1, c2, c3};
}

}  // namespace softscore::inline SOFTSCORE_ABI
