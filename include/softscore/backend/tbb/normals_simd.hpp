#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/noise.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The functions of core/philox.hpp and core/noise.hpp for W blocks of four numbers at once, with the same operations in
// the same order and therefore the same bits.

// Words 0 to 3 of Groups times W consecutive blocks, one vector per word and group. Each word of a counter has its own
// 64 bits, as the product of 32-bit words has, and the upper ones are ignored; so a round needs no shuffles.
template <std::size_t W, std::size_t Groups>
SOFTSCORE_INLINE void random_words_simd(const noise_key& key, std::uint64_t image, std::uint32_t first_block,
                                        simd_word<W> (&words)[Groups][4]) {
  using state = simd_long_word<W / 2>;
  const auto purpose = (static_cast<std::uint32_t>(key.stream) << 24) | (static_cast<std::uint32_t>(key.draw) << 16) |
                       static_cast<std::uint32_t>((image >> 32) & 0xFFFFu);
  const state lane = counting<state>(std::make_index_sequence<W / 2>{}), zero{};
  const state p_factor = zero + 0xD2511F53u, q_factor = zero + 0xCD9E8D57u;
  state c[2 * Groups][4];
  unrolled<2 * Groups>([&](auto part) SOFTSCORE_INLINE_LAMBDA {
    c[part][0] = lane + (first_block + part * (W / 2));
    c[part][1] = zero + key.step;
    c[part][2] = zero + static_cast<std::uint32_t>(image);
    c[part][3] = zero + purpose;
  });
  const auto k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
  // Unrolled, because the first rounds work on values that all lanes share.
  unrolled<10>([&](auto round) SOFTSCORE_INLINE_LAMBDA {
    constexpr auto number = static_cast<std::uint32_t>(round);
    const std::uint32_t of_q = k0 + number * 0x9E3779B9u, of_p = k1 + number * 0xBB67AE85u;
    unrolled<2 * Groups>([&](auto part) SOFTSCORE_INLINE_LAMBDA {
      const state p = product_of_low_halves<W / 2>(c[part][0], p_factor),
                  q = product_of_low_halves<W / 2>(c[part][2], q_factor);
      c[part][0] = (q >> 32) ^ c[part][1] ^ of_q;
      c[part][1] = q;
      c[part][2] = (p >> 32) ^ c[part][3] ^ of_p;
      c[part][3] = p;
    });
  });
  unrolled<Groups>([&](auto g) SOFTSCORE_INLINE_LAMBDA {
    unrolled<4>([&](auto k) SOFTSCORE_INLINE_LAMBDA { words[g][k] = low_halves<W>(c[2 * g][k], c[2 * g + 1][k]); });
  });
}

// Below, N vectors go through every operation together: one alone would wait for its own results most of the time, and
// processors do not look far enough ahead to find the next one.
template <std::size_t W, std::size_t N>
SOFTSCORE_INLINE void minus_two_log_simd(simd<W> (&u)[N]) {
  const auto number = [](float x) SOFTSCORE_INLINE_LAMBDA { return broadcast<W>(x); };
  const auto each = [](auto body) SOFTSCORE_INLINE_LAMBDA { unrolled<N>(body); };
  simd<W> exponent[N], s[N], s2[N], p[N];
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA {
    const simd_word<W> shifted = same_bits<simd_word<W>>(u[k]) - 0x3F3504F3u;
    exponent[k] = __builtin_convertvector(same_bits<simd_int<W>>(shifted) >> 23, simd<W>);
    const simd<W> m = same_bits<simd<W>>((shifted & 0x007FFFFFu) + 0x3F3504F3u);
    s[k] = (m - 1.0f) / (m + 1.0f);
  });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA { s2[k] = s[k] * s[k]; });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA { p[k] = fused<W>(s2[k], number(0.2222222f), number(0.2857143f)); });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA { p[k] = fused<W>(p[k], s2[k], number(0.4f)); });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA { p[k] = fused<W>(p[k], s2[k], number(0.6666667f)); });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA { p[k] = fused<W>(p[k], s2[k], number(2.0f)); });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA {
    const simd<W> log_m = p[k] * s[k];
    u[k] = -2.0f * fused<W>(exponent[k], number(0.69314718f), log_m);
  });
}

// Sine and cosine of 2 pi word / 2^32.
template <std::size_t W, std::size_t N>
SOFTSCORE_INLINE void circle_simd(const simd_word<W> (&word)[N], simd<W> (&sine)[N], simd<W> (&cosine)[N]) {
  const auto number = [](float x) SOFTSCORE_INLINE_LAMBDA { return broadcast<W>(x); };
  const auto each = [](auto body) SOFTSCORE_INLINE_LAMBDA { unrolled<N>(body); };
  simd_word<W> quarter[N];
  simd<W> x[N], x2[N], s[N], c[N];
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA {
    quarter[k] = (word[k] + 0x20000000u) >> 30;
    const simd<W> rest = __builtin_convertvector(same_bits<simd_int<W>>(word[k] - (quarter[k] << 30)), simd<W>);
    x[k] = rest * (1.57079633f * 0x1p-30f);
  });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA { x2[k] = x[k] * x[k]; });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA {
    s[k] = fused<W>(x2[k], number(2.7557319e-6f), number(-1.9841270e-4f));
    c[k] = fused<W>(x2[k], number(2.4801587e-5f), number(-1.3888889e-3f));
  });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA {
    s[k] = fused<W>(s[k], x2[k], number(8.3333333e-3f));
    c[k] = fused<W>(c[k], x2[k], number(4.1666667e-2f));
  });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA {
    s[k] = fused<W>(s[k], x2[k], number(-1.6666667e-1f));
    c[k] = fused<W>(c[k], x2[k], number(-0.5f));
  });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA {
    const simd<W> cube = x2[k] * x[k];
    s[k] = fused<W>(s[k], cube, x[k]);
    c[k] = fused<W>(c[k], x2[k], number(1.0f));
  });
  each([&](auto k) SOFTSCORE_INLINE_LAMBDA {
    const auto swap = (quarter[k] & 1u) != 0u;
    const simd_word<W> of_sine = same_bits<simd_word<W>>(swap ? c[k] : s[k]),
                       of_cosine = same_bits<simd_word<W>>(swap ? s[k] : c[k]);
    // The sign is the second bit of the quarter, and of the next quarter.
    sine[k] = same_bits<simd<W>>(of_sine ^ ((quarter[k] & 2u) << 30));
    cosine[k] = same_bits<simd<W>>(of_cosine ^ (((quarter[k] + 1u) & 2u) << 30));
  });
}

// The 4 W Groups normal numbers of the blocks from `first_block` on of an image (`normals` in core/noise.hpp).
// Computing two groups together is faster than one after the other, since the rounds of one wait for each other.
template <std::size_t W, std::size_t Groups>
SOFTSCORE_INLINE void normals_simd(const noise_key& key, std::uint64_t image, std::uint32_t first_block, float* z) {
  simd_word<W> words[Groups][4];
  random_words_simd<W>(key, image, first_block, words);
  // Pairs of words, two of a group.
  constexpr std::size_t pairs = 2 * Groups;
  simd<W> radius[pairs], sine[pairs], cosine[pairs];
  simd_word<W> angle[pairs];
  unrolled<pairs>([&](auto k) SOFTSCORE_INLINE_LAMBDA {
    radius[k] = fused<W>(__builtin_convertvector(words[k / 2][k % 2 * 2], simd<W>), broadcast<W>(0x1p-32f),
                         broadcast<W>(0x1p-33f));
    angle[k] = words[k / 2][k % 2 * 2 + 1];
  });
  minus_two_log_simd<W>(radius);
  // `root` rounds correctly for every word, so the machine's square root gives the same bits.
  unrolled<pairs>([&](auto k) SOFTSCORE_INLINE_LAMBDA { radius[k] = square_root<W>(radius[k]); });
  circle_simd<W>(angle, sine, cosine);
  unrolled<Groups>([&](auto group) SOFTSCORE_INLINE_LAMBDA {
    // Converts from one vector per word to one block after another.
    simd<W> first[2], second[2], out[4];
    constexpr std::size_t a = 2 * group, b = a + 1;
    interleave<1, W>(radius[a] * cosine[a], radius[a] * sine[a], first[0], first[1]);
    interleave<1, W>(radius[b] * cosine[b], radius[b] * sine[b], second[0], second[1]);
    interleave<2, W>(first[0], second[0], out[0], out[1]);
    interleave<2, W>(first[1], second[1], out[2], out[3]);
    unrolled<4>([&](auto k) SOFTSCORE_INLINE_LAMBDA { store(z + (group * 4 + k) * W, out[k]); });
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
