#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/philox.hpp>

namespace softscore {  // shared

/// What a stream of random numbers is used for. Streams never share a word.
enum class noise_stream : std::uint8_t {
  start,
  sampling,
  training,
  times,
  shuffle,
  initial_weights,
  data,
  user,
  test,
  test_times,
  acceptance,
  dropout,
  label_dropout,
  flips,
  beside
};

/// Identifies one draw of a run. Together with the number of an image and of an element inside it, it selects one word
/// of Philox, so a number does not depend on batch size, threads or the order of calls.
struct noise_key {
  std::uint64_t seed{};
  noise_stream stream{noise_stream::user};
  std::uint32_t step{};
  std::uint8_t draw{};

  /// The number of distinct values of `draw`: larger values would repeat these.
  static constexpr std::size_t draws = 256;
};

/// Which images of a run a batch holds: `count` of them, from number `first` on (below `most`).
struct image_range {
  std::uint64_t first{};
  std::size_t count{};

  /// An image with a larger number would get the noise of one below it.
  static constexpr std::uint64_t most = std::uint64_t{1} << 48;

  /// Returns the number of image `i` of a batch. A batch of more images than `count` repeats the range.
  SOFTSCORE_SHARED std::uint64_t number(std::size_t i) const { return first + (count > 0 ? i % count : i); }
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Returns four uniform words, for elements 4 `block` to 4 `block` + 3 of the image.
SOFTSCORE_HD constexpr std::array<std::uint32_t, 4> random_words(const noise_key& key, std::uint64_t image,
                                                                 std::uint32_t block) {
  const auto purpose = (static_cast<std::uint32_t>(key.stream) << 24) | (static_cast<std::uint32_t>(key.draw) << 16) |
                       static_cast<std::uint32_t>((image >> 32) & 0xFFFFu);
  return philox({block, key.step, static_cast<std::uint32_t>(image), purpose},
                {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)});
}

/// Returns a uniform number in [0, 1) with 53 bits, for element `index` of the image. The arithmetic is exact, so the
/// bits are the same everywhere.
SOFTSCORE_HD constexpr double uniform(const noise_key& key, std::uint64_t image, std::uint32_t index) {
  const auto words = random_words(key, image, index / 2);
  const std::uint32_t high = words[2 * (index % 2)], low = words[2 * (index % 2) + 1];
  const std::uint64_t bits = ((std::uint64_t{high} << 32) | low) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

/// Returns a uniform integer in [0, bound), for element `index` of the image; the bias is below bound / 2^64.
SOFTSCORE_HD constexpr std::uint64_t uniform_below(std::uint64_t bound, const noise_key& key, std::uint64_t image,
                                                   std::uint32_t index) {
  const auto words = random_words(key, image, index / 2);
  const std::uint64_t bits = (std::uint64_t{words[2 * (index % 2)]} << 32) | words[2 * (index % 2) + 1];
  // The high half of the 128-bit product bits * bound, from 32-bit halves.
  const std::uint64_t a = bits >> 32, b = bits & 0xFFFFFFFFu, c = bound >> 32, d = bound & 0xFFFFFFFFu;
  const std::uint64_t middle = a * d + ((b * d) >> 32);
  const std::uint64_t rest = b * c + (middle & 0xFFFFFFFFu);
  return a * c + (middle >> 32) + (rest >> 32);
}

namespace detail {

// Every a * b + c below is an explicit fma, and no other product is an operand of a sum. So a compiler has nothing left
// to contract, and the bits agree between compilers, optimization levels and devices.

// -2 log(u) for u in [2^-33, 1]: u = 2^e m with m in [sqrt(1/2), sqrt(2)), then log(m) = 2 atanh(s), s = (m-1)/(m+1).
SOFTSCORE_HD inline float minus_two_log(float u) {
  const auto bits = std::bit_cast<std::uint32_t>(u);
  const std::uint32_t shifted = bits - 0x3F3504F3u;  // 0x3F3504F3 is sqrt(1/2)
  const auto exponent = static_cast<float>(static_cast<std::int32_t>(shifted) >> 23);
  const float m = std::bit_cast<float>((shifted & 0x007FFFFFu) + 0x3F3504F3u);
  const float s = (m - 1.0f) / (m + 1.0f);
  const float s2 = s * s;
  float p = std::fma(s2, 0.2222222f, 0.2857143f);
  p = std::fma(p, s2, 0.4f);
  p = std::fma(p, s2, 0.6666667f);
  p = std::fma(p, s2, 2.0f);
  const float log_m = p * s;
  return -2.0f * std::fma(exponent, 0.69314718f, log_m);
}

// sqrt(x) for x in [0, 64]: three Newton steps for 1/sqrt(x), starting from half its exponent, then one for the root.
SOFTSCORE_HD inline float root(float x) {
  float y = std::bit_cast<float>(0x5F3759DFu - (std::bit_cast<std::uint32_t>(x) >> 1));
  const float half = -0.5f * x;
  for (int i = 0; i < 3; ++i) {
    const float square = y * y;
    y = y * std::fma(half, square, 1.5f);
  }
  const float guess = x * y;
  const float residual = std::fma(-guess, guess, x);
  return std::fma(0.5f * y, residual, guess);
}

struct sine_cosine {
  float sine, cosine;
};

// Sine and cosine of 2 pi word / 2^32. The nearest quarter turn is subtracted exactly, and Taylor series give the rest,
// which is at most an eighth of a turn.
SOFTSCORE_HD inline sine_cosine circle(std::uint32_t word) {
  const std::uint32_t quarter = (word + 0x20000000u) >> 30;
  const auto rest = static_cast<std::int32_t>(word - (quarter << 30));  // in [-2^29, 2^29)
  const float x = static_cast<float>(rest) * (1.57079633f * 0x1p-30f);  // in [-pi/4, pi/4)
  const float x2 = x * x;
  float s = std::fma(x2, 2.7557319e-6f, -1.9841270e-4f);
  s = std::fma(s, x2, 8.3333333e-3f);
  s = std::fma(s, x2, -1.6666667e-1f);
  const float cube = x2 * x;
  s = std::fma(s, cube, x);
  float c = std::fma(x2, 2.4801587e-5f, -1.3888889e-3f);
  c = std::fma(c, x2, 4.1666667e-2f);
  c = std::fma(c, x2, -0.5f);
  c = std::fma(c, x2, 1.0f);
  const bool swap = (quarter & 1u) != 0;
  const float sine = swap ? c : s, cosine = swap ? s : c;
  return {(quarter & 2u) != 0 ? -sine : sine, ((quarter + 1u) & 2u) != 0 ? -cosine : cosine};
}

}  // namespace detail

/// Returns four independent standard normal numbers, for elements 4 `block` to 4 `block` + 3 of the image, by Box and
/// Muller's transform of the four words. They are float32 numbers for any precision of the state, have the same bits on
/// every compiler and device, and none exceeds 6.77.
SOFTSCORE_HD inline std::array<float, 4> normals(const noise_key& key, std::uint64_t image, std::uint32_t block) {
  const auto words = random_words(key, image, block);
  std::array<float, 4> z{};
  for (std::size_t pair = 0; pair < 2; ++pair) {
    const float u = std::fma(static_cast<float>(words[2 * pair]), 0x1p-32f, 0x1p-33f);
    const float radius = detail::root(detail::minus_two_log(u));
    const auto [sine, cosine] = detail::circle(words[2 * pair + 1]);
    z[2 * pair] = radius * cosine;
    z[2 * pair + 1] = radius * sine;
  }
  return z;
}

}  // namespace softscore::inline SOFTSCORE_ABI
