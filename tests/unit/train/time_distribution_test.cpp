// Times spread over a batch (Kingma et al. 2021, Appendix I.1) or over a whole run (Sobol' 1967, Owen 1995).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "catch.hpp"

#include <softscore/core/sobol.hpp>
#include <softscore/train/options.hpp>

using namespace softscore;

namespace {

noise_key key_of(std::uint32_t step) { return {.seed = 5, .stream = noise_stream::times, .step = step}; }

}  // namespace

TEST_CASE("Times that are stratified fall one into each share of a batch") {
  const std::size_t images = 48;
  for (std::uint32_t step = 0; step < 50; ++step) {
    std::vector<double> times;
    for (std::size_t i = 0; i < images; ++i)
      times.push_back((time_distribution{.stratified = true}.draw(key_of(step), i, images)).value);
    std::sort(times.begin(), times.end());
    CHECK(times.front() > 0.0);
    CHECK(times.back() <= 1.0);
    // u + i / images is rounded to 2^-53 below 2, and so is what is left of it.
    for (std::size_t i = 1; i < images; ++i) CHECK(std::abs(times[i] - times[i - 1] - 1.0 / 48.0) < 4e-16);
  }
}

TEST_CASE("Every single time is uniform, stratified or not") {
  const std::size_t images = 7, steps = 8000, indices = 10;
  for (const bool stratified : {false, true}) {
    for (const std::size_t place : {std::size_t{0}, std::size_t{6}}) {
      std::vector<std::size_t> counts(indices + 1);
      double sum = 0.0;
      for (std::uint32_t step = 0; step < steps; ++step) {
        const double t =
            time_distribution{indices, stratified}.draw(key_of(step), place, images).value * double(indices);
        REQUIRE(t == std::round(t));
        ++counts.at(static_cast<std::size_t>(t));
        sum += time_distribution{.stratified = stratified}.draw(key_of(step), place, images).value;
      }
      CHECK(counts[0] == 0);
      // Five standard deviations: of a binomial count, sqrt(8000 x 0.1 x 0.9) = 26.9; of a mean, 1 / sqrt(12 x 8000).
      for (std::size_t k = 1; k <= indices; ++k) CHECK(std::abs(double(counts[k]) - 800.0) < 5 * 26.9);
      CHECK(std::abs(sum / double(steps) - 0.5) < 5 / std::sqrt(12.0 * double(steps)));
    }
  }
}

TEST_CASE("Times that are not stratified know nothing of the batch") {
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(time_distribution{}.draw(key_of(1), i, 5).value == time_distribution{}.draw(key_of(1), i).value);
    CHECK(time_distribution{20}.draw(key_of(1), i, 5).value == time_distribution{20}.draw(key_of(1), i, 90).value);
  }
}

TEST_CASE("Times of a Sobol sequence fill each other's gaps in batches of any size") {
  // 2^k points from a multiple of 2^k on lie one in each 2^k-th, whether a batch holds them or several do.
  const time_distribution sobol{.sobol = true};
  for (const std::size_t images : {std::size_t{8}, std::size_t{32}, std::size_t{128}}) {
    std::vector<double> times;
    for (std::uint32_t step = 0; step < 1024 / images; ++step)
      for (std::size_t i = 0; i < images; ++i) times.push_back(sobol.draw(key_of(step), i, images).value);
    for (const std::size_t run : {std::size_t{2}, std::size_t{16}, std::size_t{256}, std::size_t{1024}})
      for (std::size_t first = 0; first < times.size(); first += run) {
        std::vector<int> found(run);
        for (std::size_t i = first; i < first + run; ++i) {
          REQUIRE(times[i] > 0.0);
          REQUIRE(times[i] <= 1.0);
          ++found[static_cast<std::size_t>((1.0 - times[i]) * static_cast<double>(run))];
        }
        REQUIRE(std::all_of(found.begin(), found.end(), [](int count) { return count == 1; }));
      }
  }
  // Batches of another size see the same sequence.
  CHECK(sobol.draw(key_of(3), 5, 8).value == sobol.draw(key_of(1), 13, 16).value);
  // Index k of T is the k-th T-th of the sequence's numbers, which are 1 - t.
  const double u = 1.0 - sobol.draw(key_of(3), 5, 8).value;
  CHECK(time_distribution{.indices = 4, .sobol = true}.draw(key_of(3), 5, 8).value == (std::floor(4 * u) + 1) / 4);
}

TEST_CASE("The scrambling leaves each point uniform, and two points as independent as their common digits allow") {
  const std::size_t seeds = 20000;
  double sum = 0.0, squares = 0.0, product = 0.0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const noise_key key{.seed = seed, .stream = noise_stream::times};
    const double u = scrambled_sobol(key, 1234567), v = scrambled_sobol(key, 1234569);
    sum += u;
    squares += (u - 0.5) * (u - 0.5);
    // 1234567 and 1234569 share their first digit and not the second: the same half, the other quarter.
    product += (u - 0.5) * (v - 0.5);
    REQUIRE((u < 0.5) == (v < 0.5));
    REQUIRE(static_cast<int>(4 * u) != static_cast<int>(4 * v));
  }
  const double n = static_cast<double>(seeds);
  // Five standard deviations: 1 / sqrt(12 n), sqrt((1/80 - 1/144) / n). With halves h = +-1/4 and quarters +-1/8 the
  // covariance is 1/16 - 1/64; its standard deviation is below that of u^2, since |u - 1/2| is at most 1/2.
  CHECK(std::abs(sum / n - 0.5) < 5 / std::sqrt(12 * n));
  CHECK(std::abs(squares / n - 1.0 / 12) < 5 * std::sqrt((1.0 / 80 - 1.0 / 144) / n));
  CHECK(std::abs(product / n - (1.0 / 16 - 1.0 / 64)) < 5 * std::sqrt((1.0 / 80 - 1.0 / 144) / n));
}
