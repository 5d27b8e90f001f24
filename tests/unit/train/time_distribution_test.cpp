// Times spread over a batch (Kingma et al. 2021, Appendix I.1).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "catch.hpp"

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
