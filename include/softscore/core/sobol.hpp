#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <softscore/core/config.hpp>
#include <softscore/core/noise.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Point `index` of the Sobol sequence in one dimension, which is van der Corput's in base 2 (Sobol' 1967), under the
/// nested scrambling (Owen 1995) that the key draws: a number in [0, 1) with 32 bits. Each point alone is uniform. Any
/// 2^k points from a multiple of 2^k on lie one in each of the 2^k equal parts of the interval.
inline double scrambled_sobol(const noise_key& key, std::uint32_t index) {
  constexpr std::uint32_t digits = 32, at_once = 7;  // a digit's 2^7 - 1 followers share the 128 bits of one draw
  std::uint32_t scrambled = 0, before = 0;           // the digits so far, scrambled and not, the first one highest
  for (std::uint32_t first = 0; first < digits; first += at_once) {
    const auto words = random_words(key, (std::uint64_t{1} << first) | before, 0);
    const std::uint32_t last = first + at_once < digits ? first + at_once : digits;
    // Whether a digit is changed depends on all digits before it: a tree, whose nodes are numbered from its root, 1.
    for (std::uint32_t digit = first, node = 1; digit < last; ++digit) {
      const std::uint32_t value = (index >> digit) & 1u, change = (words[node / 32] >> (node % 32)) & 1u;
      scrambled = (scrambled << 1) | (value ^ change);
      before = (before << 1) | value;
      node = 2 * node + value;
    }
  }
  return static_cast<double>(scrambled) * 0x1p-32;
}

}  // namespace softscore::inline SOFTSCORE_ABI
