#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/noise.hpp>

namespace softscore::detail {

// The functions of core/philox.hpp and core/noise.hpp for W blocks of four numbers at once, with the same operations in
// the same order and so the same bits.

// Words 0 to 3 of Groups times W neighbouring blocks, one vector a word and group. A counter's word has 64 bits to
// itself, as the product of 32-bit words does, and the upper ones are never looked at; so a round needs no shuffling.
template <std::size_t W, std::size_t Groups>
SOFTSCORE_INLINE void random_words_simd(const noise_key& key, std::uint64_t image, std::uint32_t first_block,
                                        simd_word<W> (&words)[Groups][4]) {
  using state = simd_long_word<W / 2>;
  const auto purpose = (static_cast<std::uint32_t>(key.stream) << 24) | (static_cast<std::uint32_t>(key.draw) << 16) |
                       static_cast<std::uint32_t>((image >> 32) & 0xFFFFu);
  const state lane = counting<state>(std::make_index_sequence<W / 2>{}), zero{};
  const state p_factor = zero + 0xD2511F53u, q_factor = zero + 0xCD9E8D57u;
  state c[2 * Groups][4];
  unrolled<2 * Groups>([&](auto half) SOFTSCORE_INLINE_LAMBDA {
    c[half][0] = lane + (first_block + half * (W / 2));
    c[half][1] = zero + key.step;
    c[half][2] = zero + static_cast<std::uint32_t>(image);
    c[half][3] = zero + purpose;
  });
  auto k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
#pragma GCC unroll 1
  for (int round = 0; round < 10; ++round) {
    unrolled<2 * Groups>([&](auto half) SOFTSCORE_INLINE_LAMBDA {
      const state p = product_of_low_halves<W / 2>(c[half][0], p_factor),
                  q = product_of_low_halves<W / 2>(c[half][2], q_factor);
      c[half][0] = (q >> 32) ^ c[half][1] ^ k0;
      c[half][1] = q;
      c[half][2] = (p >> 32) ^ c[half][3] ^ k1;
      c[half][3] = p;
    });
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  unrolled<Groups>([&](auto g) SOFTSCORE_INLINE_LAMBDA {
    unrolled<4>([&](auto k) SOFTSCORE_INLINE_LAMBDA { words[g][k] = low_halves<W>(c[2 * g][k], c[2 * g + 1][k]); });
  });
}

template <std::size_t W>
SOFTSCORE_INLINE simd<W> minus_two_log_simd(simd<W> u) {
  const auto number = [](float x) SOFTSCORE_INLINE_LAMBDA { return broadcast<W>(x); };
  const simd_word<W> shifted = same_bits<simd_word<W>>(u) - 0x3F3504F3u;
  const simd<W> exponent = __builtin_convertvector(same_bits<simd_int<W>>(shifted) >> 23, simd<W>);
  const simd<W> m = same_bits<simd<W>>((shifted & 0x007FFFFFu) + 0x3F3504F3u);
  const simd<W> s = (m - 1.0f) / (m + 1.0f);
  const simd<W> s2 = s * s;
  simd<W> p = fused<W>(s2, number(0.2222222f), number(0.2857143f));
  p = fused<W>(p, s2, number(0.4f));
  p = fused<W>(p, s2, number(0.6666667f));
  p = fused<W>(p, s2, number(2.0f));
  const simd<W> log_m = p * s;
  return -2.0f * fused<W>(exponent, number(0.69314718f), log_m);
}

template <std::size_t W>
SOFTSCORE_INLINE simd<W> root_simd(simd<W> x) {
  simd<W> y = same_bits<simd<W>>(0x5F3759DFu - (same_bits<simd_word<W>>(x) >> 1));
  const simd<W> half = -0.5f * x;
  unrolled<3>([&](auto) SOFTSCORE_INLINE_LAMBDA {
    const simd<W> square = y * y;
    y = y * fused<W>(half, square, broadcast<W>(1.5f));
  });
  const simd<W> guess = x * y;
  const simd<W> residual = fused<W>(-guess, guess, x);
  return fused<W>(0.5f * y, residual, guess);
}

// Sine and cosine of 2 pi word / 2^32.
template <std::size_t W>
SOFTSCORE_INLINE void circle_simd(simd_word<W> word, simd<W>& sine, simd<W>& cosine) {
  const auto number = [](float x) SOFTSCORE_INLINE_LAMBDA { return broadcast<W>(x); };
  const simd_word<W> quarter = (word + 0x20000000u) >> 30;
  const simd<W> rest = __builtin_convertvector(same_bits<simd_int<W>>(word - (quarter << 30)), simd<W>);
  const simd<W> x = rest * (1.57079633f * 0x1p-30f);
  const simd<W> x2 = x * x;
  simd<W> s = fused<W>(x2, number(2.7557319e-6f), number(-1.9841270e-4f));
  s = fused<W>(s, x2, number(8.3333333e-3f));
  s = fused<W>(s, x2, number(-1.6666667e-1f));
  const simd<W> cube = x2 * x;
  s = fused<W>(s, cube, x);
  simd<W> c = fused<W>(x2, number(2.4801587e-5f), number(-1.3888889e-3f));
  c = fused<W>(c, x2, number(4.1666667e-2f));
  c = fused<W>(c, x2, number(-0.5f));
  c = fused<W>(c, x2, number(1.0f));
  const auto swap = (quarter & 1u) != 0u;
  const simd_word<W> of_sine = same_bits<simd_word<W>>(swap ? c : s), of_cosine = same_bits<simd_word<W>>(swap ? s : c);
  // The second bit of the quarter, and of the next one, is the sign's.
  sine = same_bits<simd<W>>(of_sine ^ ((quarter & 2u) << 30));
  cosine = same_bits<simd<W>>(of_cosine ^ (((quarter + 1u) & 2u) << 30));
}

// The 4 W Groups normal numbers of the blocks from `first_block` on of an image (`normals` in core/noise.hpp). Two
// groups at once are faster than one after the other, since the rounds of one wait for each other.
template <std::size_t W, std::size_t Groups>
SOFTSCORE_INLINE void normals_simd(const noise_key& key, std::uint64_t image, std::uint32_t first_block, float* z) {
  simd_word<W> words[Groups][4];
  random_words_simd<W>(key, image, first_block, words);
  unrolled<Groups>([&](auto group) SOFTSCORE_INLINE_LAMBDA {
    simd<W> of_word[4];
    unrolled<2>([&](auto pair) SOFTSCORE_INLINE_LAMBDA {
      const simd<W> u = fused<W>(__builtin_convertvector(words[group][2 * pair], simd<W>), broadcast<W>(0x1p-32f),
                                 broadcast<W>(0x1p-33f));
      const simd<W> radius = root_simd<W>(minus_two_log_simd<W>(u));
      simd<W> sine, cosine;
      circle_simd<W>(words[group][2 * pair + 1], sine, cosine);
      of_word[2 * pair] = radius * cosine;
      of_word[2 * pair + 1] = radius * sine;
    });
    // From one vector a word to one block after the other.
    simd<W> first[2], second[2], out[4];
    interleave<1, W>(of_word[0], of_word[1], first[0], first[1]);
    interleave<1, W>(of_word[2], of_word[3], second[0], second[1]);
    interleave<2, W>(first[0], second[0], out[0], out[1]);
    interleave<2, W>(first[1], second[1], out[2], out[3]);
    unrolled<4>([&](auto k) SOFTSCORE_INLINE_LAMBDA { store(z + (group * 4 + k) * W, out[k]); });
  });
}

}  // namespace softscore::detail
