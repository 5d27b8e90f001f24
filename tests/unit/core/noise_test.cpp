// The random numbers: that keys never share a word, that uniform and normal numbers have their distributions, and that
// the float32 transform is Box and Muller's.
//
// The keys are fixed, so a check that holds once holds always; bounds of five standard errors would be passed by a
// right generator with probability 1 - 6e-7 each.
#include <softscore/core/noise.hpp>

#include "catch.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace softscore;

namespace {

const noise_key plain{.seed = 7, .stream = noise_stream::training, .step = 3, .draw = 1};

// The first `count` normal numbers of an image, as doubles.
std::vector<double> normal_numbers(const noise_key& key, std::uint64_t image, std::size_t count) {
  std::vector<double> z;
  z.reserve(count + 3);
  for (std::uint32_t block = 0; z.size() < count; ++block)
    for (const float each : normals(key, image, block)) z.push_back(static_cast<double>(each));
  z.resize(count);
  return z;
}

double mean_of(const std::vector<double>& z, int power) {
  double sum = 0;
  for (const double v : z) sum += std::pow(v, power);
  return sum / static_cast<double>(z.size());
}

}  // namespace

TEST_CASE("keys that differ anywhere share no word", "[core]") {
  std::vector<noise_key> keys;
  for (const std::uint64_t seed : {0ull, 1ull, 1ull << 32, ~0ull})
    for (const noise_stream stream : {noise_stream::start, noise_stream::sampling, noise_stream::user})
      for (const std::uint32_t step : {0u, 1u, ~0u})
        for (const std::uint8_t draw : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{255}})
          keys.push_back({seed, stream, step, draw});
  std::set<std::array<std::uint32_t, 4>> seen;
  std::size_t drawn = 0;
  for (const noise_key& key : keys)
    for (const std::uint64_t image : {0ull, 1ull, 1ull << 16, 0xffffffffull, 1ull << 32, (1ull << 48) - 1})
      for (const std::uint32_t block : {0u, 1u, 195u, ~0u}) {
        seen.insert(random_words(key, image, block));
        ++drawn;
      }
  // Of 2592 random values of 128 bits, two agree with probability 1e-32.
  CHECK(seen.size() == drawn);
}

TEST_CASE("normal numbers have the moments of their distribution", "[core]") {
  constexpr std::size_t n = std::size_t{1} << 21;
  const auto z = normal_numbers(plain, 5, n);
  const double root = std::sqrt(static_cast<double>(n));
  // The variance of z^k is E z^2k - (E z^k)^2: 1, 2, 15, 96.
  CHECK(std::abs(mean_of(z, 1)) < 5 * 1 / root);
  CHECK(std::abs(mean_of(z, 2) - 1) < 5 * std::sqrt(2.0) / root);
  CHECK(std::abs(mean_of(z, 3)) < 5 * std::sqrt(15.0) / root);
  CHECK(std::abs(mean_of(z, 4) - 3) < 5 * std::sqrt(96.0) / root);
}

TEST_CASE("normal numbers have the normal distribution", "[core]") {
  constexpr std::size_t n = std::size_t{1} << 20;
  auto z = normal_numbers(plain, 6, n);
  std::sort(z.begin(), z.end());
  double distance = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double wanted = 0.5 * std::erfc(-z[i] / std::sqrt(2.0));
    distance = std::max(
        {distance, std::abs(wanted - static_cast<double>(i) / n), std::abs(wanted - static_cast<double>(i + 1) / n)});
  }
  // Kolmogorov and Smirnov: sqrt(n) D exceeds x with probability 2 exp(-2 x^2), 3e-4 at 2.1. Numbers of 24 bits add
  // less than sqrt(n) 2^-24.
  CHECK(std::sqrt(static_cast<double>(n)) * distance < 2.1);
}

TEST_CASE("normal numbers have the tails of their distribution", "[core]") {
  constexpr std::size_t n = std::size_t{1} << 21;
  const auto z = normal_numbers(plain, 7, n);
  for (const double edge : {3.0, 4.0, 4.5}) {
    const double wanted = 0.5 * std::erfc(edge / std::sqrt(2.0)) * n;
    const auto above = std::count_if(z.begin(), z.end(), [&](double v) { return v > edge; });
    const auto below = std::count_if(z.begin(), z.end(), [&](double v) { return v < -edge; });
    // Counts are Poisson's: five deviations, and one more for a distribution that is not quite normal at counts near 7.
    CHECK(std::abs(static_cast<double>(above) - wanted) < 5 * std::sqrt(wanted) + 1);
    CHECK(std::abs(static_cast<double>(below) - wanted) < 5 * std::sqrt(wanted) + 1);
  }
  // sqrt(-2 log 2^-33) = 6.764 is the largest radius.
  CHECK(std::all_of(z.begin(), z.end(), [](double v) { return std::abs(v) < 6.77; }));
  CHECK(detail::root(detail::minus_two_log(0x1p-33f)) < 6.77f);
  CHECK(detail::root(detail::minus_two_log(0x1p-33f)) > 6.76f);
}

TEST_CASE("no field of the key lets numbers depend on each other", "[core]") {
  constexpr std::size_t n = std::size_t{1} << 18;
  const auto base = normal_numbers(plain, 100, n);
  const auto check = [&](const std::vector<double>& other, const std::string& what) {
    CAPTURE(what);
    double product = 0, squares = 0;
    const std::size_t count = std::min(base.size(), other.size());
    for (std::size_t i = 0; i < count; ++i) {
      product += base[i] * other[i];
      squares += (base[i] * base[i] - 1) * (other[i] * other[i] - 1);
    }
    // Independent: products have mean 0 and variance 1, those of the centered squares 0 and 4.
    CHECK(std::abs(product) < 5 * std::sqrt(static_cast<double>(count)));
    CHECK(std::abs(squares) < 5 * 2 * std::sqrt(static_cast<double>(count)));
  };
  const auto other_key = [&](auto change) {
    noise_key key = plain;
    change(key);
    return normal_numbers(key, 100, n);
  };
  check(other_key([](noise_key& k) { k.seed += 1; }), "seed");
  check(other_key([](noise_key& k) { k.seed += std::uint64_t{1} << 32; }), "high half of the seed");
  check(other_key([](noise_key& k) { k.stream = noise_stream::sampling; }), "stream");
  check(other_key([](noise_key& k) { k.step += 1; }), "step");
  check(other_key([](noise_key& k) { k.draw += 1; }), "draw");
  check(normal_numbers(plain, 101, n), "image");
  check(normal_numbers(plain, 100 + (std::uint64_t{1} << 32), n), "image beyond 2^32");
  for (const std::size_t lag : {1u, 2u, 3u, 4u, 28u}) {
    auto shifted = normal_numbers(plain, 100, n + lag);
    shifted.erase(shifted.begin(), shifted.begin() + static_cast<std::ptrdiff_t>(lag));
    check(shifted, "elements " + std::to_string(lag) + " apart");
  }
}

TEST_CASE("normal numbers are Box and Muller's transform of their words", "[core]") {
  // Beside the same transform in long double, from the same 24-bit uniform number u. In units of 2^-24, relative to the
  // radius: -2 log u has four roundings, each below 1 of the sum of its parts, which is at most twice the sum, and a
  // series cut at 2e-9, hence 8, and its root half of that, 4; the root itself 2; the angle is rounded twice, pi/2
  // together, the series for sine and cosine round three times and are cut at 2.5e-8, so 5; the last product 1. In
  // all 12.
  std::array<long double, 2> worst{};
  for (std::uint32_t block = 0; block < 100000; ++block) {
    const auto words = random_words(plain, 8, block);
    const auto z = normals(plain, 8, block);
    for (std::size_t pair = 0; pair < 2; ++pair) {
      const long double u = std::fma(static_cast<float>(words[2 * pair]), 0x1p-32f, 0x1p-33f);
      const long double radius = std::sqrt(-2 * std::log(u));
      const long double angle = 2 * 3.14159265358979323846264338327950288L * words[2 * pair + 1] * 0x1p-32L;
      const auto error = [&](float found, long double wanted) { return std::abs(found - wanted) / radius; };
      if (radius == 0) continue;
      worst[0] = std::max(worst[0], error(z[2 * pair], radius * std::cos(angle)));
      worst[1] = std::max(worst[1], error(z[2 * pair + 1], radius * std::sin(angle)));
    }
  }
  CHECK(worst[0] < 12 * 0x1p-24L);
  CHECK(worst[1] < 12 * 0x1p-24L);
}

TEST_CASE("the parts of the transform hold at their ends", "[core]") {
  // u = 1 gives radius 0, exactly.
  CHECK(detail::root(detail::minus_two_log(1.0f)) == 0.0f);
  for (const float u : {0x1p-33f, 0x1p-32f, 0.25f, 0.5f, 0.70710677f, 0.70710683f, 0.99999994f}) {
    const long double wanted = -2 * std::log(static_cast<long double>(u));
    CHECK(std::abs(detail::minus_two_log(u) - wanted) < 8 * 0x1p-24L * wanted);
  }
  for (const float x : {1.2e-7f, 1.0f, 2.0f, 3.0f, 45.747707f, 64.0f}) {
    const long double wanted = std::sqrt(static_cast<long double>(x));
    CHECK(std::abs(detail::root(x) - wanted) < 2 * 0x1p-24L * wanted);
  }
  // The root of every number that a word can lead to is the correctly rounded one, so a machine's own may take its
  // place; here of one word in 10007.
  std::size_t different = 0;
  for (std::uint64_t word = 0; word < std::uint64_t{1} << 32; word += 10007) {
    const float x = detail::minus_two_log(std::fma(static_cast<float>(word), 0x1p-32f, 0x1p-33f));
    different += std::bit_cast<std::uint32_t>(detail::root(x)) != std::bit_cast<std::uint32_t>(std::sqrt(x));
  }
  CHECK(different == 0);
  // Eighths of a turn and their neighbors, where the quadrant changes.
  for (std::uint32_t eighth = 0; eighth < 8; ++eighth)
    for (const std::uint32_t step : {~0u, 0u, 1u}) {
      const std::uint32_t word = (eighth << 29) + step;
      const long double angle = 2 * 3.14159265358979323846264338327950288L * word * 0x1p-32L;
      const auto [sine, cosine] = detail::circle(word);
      CHECK(std::abs(sine - std::sin(angle)) < 5 * 0x1p-24L);
      CHECK(std::abs(cosine - std::cos(angle)) < 5 * 0x1p-24L);
    }
}

TEST_CASE("uniform numbers are uniform, below 1, and use all 53 bits", "[core]") {
  constexpr std::size_t n = std::size_t{1} << 18, bins = 256;
  std::vector<double> counts(bins);
  std::uint64_t low_bits = 0;
  bool inside = true;
  for (std::uint32_t i = 0; i < n; ++i) {
    const double u = uniform(plain, 9, i);
    inside = inside && u >= 0.0 && u < 1.0;
    counts[static_cast<std::size_t>(u * bins)] += 1;
    low_bits |= static_cast<std::uint64_t>(u * 0x1p53);
  }
  CHECK(inside);
  CHECK(low_bits == (std::uint64_t{1} << 53) - 1);
  double chi = 0;
  for (const double c : counts) chi += (c - n / bins) * (c - n / bins) / (n / bins);
  // Chi-square of 255 degrees of freedom has mean 255 and variance 510.
  CHECK(std::abs(chi - 255) < 5 * std::sqrt(510.0));
}

TEST_CASE("whole numbers below a bound are uniform there", "[core]") {
  std::vector<double> counts(10);
  for (std::uint32_t i = 0; i < 100000; ++i) counts.at(uniform_below(10, plain, 10, i)) += 1;
  double chi = 0;
  for (const double c : counts) chi += (c - 10000) * (c - 10000) / 10000;
  // 9 degrees of freedom: above 35 with probability 6e-5.
  CHECK(chi < 35);
  // The high half of the product with the bound, here from the compiler's 128-bit numbers.
  __extension__ using wide = unsigned __int128;
  for (const std::uint64_t bound : {1ull, 2ull, 60000ull, (1ull << 32) - 1, 1ull << 32, (1ull << 40) + 12345, ~0ull})
    for (std::uint32_t i = 0; i < 100; ++i) {
      const auto words = random_words(plain, 11, i / 2);
      const std::uint64_t bits = (std::uint64_t{words[2 * (i % 2)]} << 32) | words[2 * (i % 2) + 1];
      CHECK(uniform_below(bound, plain, 11, i) == static_cast<std::uint64_t>((static_cast<wide>(bits) * bound) >> 64));
    }
}
