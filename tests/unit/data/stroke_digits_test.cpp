#include <softscore/data/stroke_digits.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "catch.hpp"
#include "refusal.hpp"

using softscore::stroke_digits;

namespace {

// FNV-1a over the pixels as bytes.
std::uint64_t checksum(const softscore::image_batch& images) {
  std::uint64_t sum = 0xCBF29CE484222325u;
  for (std::size_t i = 0; i < images.size(); ++i) {
    sum = (sum ^ static_cast<std::uint64_t>(images.data()[i] * 255.0f + 0.5f)) * 0x100000001B3u;
  }
  return sum;
}

double squared_distance(const float* a, const float* b, std::size_t n) {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += std::pow(static_cast<double>(a[i] - b[i]), 2);
  return sum;
}

}  // namespace

TEST_CASE("stroke digits are the same bits on every compiler and optimization level") {
  CHECK(checksum(stroke_digits(2000, 1).pixels) == 0x5417AC116A27ED28u);
  CHECK(checksum(stroke_digits(500, 2, 16).pixels) == 0x2C35042CBD562151u);
}

TEST_CASE("a stroke digit depends on seed, number and side alone") {
  const auto all = stroke_digits(30, 9);
  const auto some = stroke_digits(5, 9, 28, 20);
  CHECK(std::equal(some.pixels.data(), some.pixels.data() + some.pixels.size(), all.pixels.data() + 20 * 784));
  CHECK(some.labels[4] == 4);
  const auto other = stroke_digits(30, 10);
  for (std::size_t i = 0; i < 30; ++i) {
    CHECK(squared_distance(all.pixels.data() + 784 * i, other.pixels.data() + 784 * i, 784) > 1.0);
  }
}

TEST_CASE("training and test digits share no image") {
  const auto data = softscore::stroke_digit_set(20, 10, 4);
  const auto all = stroke_digits(30, 4);
  CHECK(std::equal(data.training.pixels.data(), data.training.pixels.data() + 20 * 784, all.pixels.data()));
  CHECK(std::equal(data.test.pixels.data(), data.test.pixels.data() + 10 * 784, all.pixels.data() + 20 * 784));
}

TEST_CASE("stroke digits are white ink on black paper at every side, and never touch the rim") {
  for (const std::size_t side : {std::size_t{12}, std::size_t{16}, std::size_t{28}, std::size_t{33}, std::size_t{64}}) {
    CAPTURE(side);
    const auto digits = stroke_digits(200, 6, side);
    REQUIRE(digits.extent() == softscore::shape{200, 1, side, side});
    for (std::size_t i = 0; i < 200; ++i) {
      CHECK(digits.labels[i] == static_cast<softscore::class_label>(i % 10));
      float most = 0.0f, rim = 0.0f;
      double ink = 0.0;
      bool inside = true;
      for (std::size_t y = 0; y < side; ++y) {
        for (std::size_t x = 0; x < side; ++x) {
          const float value = digits.pixels(i, 0, y, x);
          inside = inside && value >= 0.0f && value <= 1.0f;
          most = std::max(most, value);
          ink += static_cast<double>(value);
          if (x == 0 || y == 0 || x + 1 == side || y + 1 == side) rim = std::max(rim, value);
        }
      }
      CHECK(inside);
      CHECK(rim == 0.0f);
      CHECK(most > 0.5f);
      CHECK(ink > 0.02 * static_cast<double>(side * side));
      CHECK(ink < 0.5 * static_cast<double>(side * side));
    }
  }
}

TEST_CASE("the ten classes tell apart, and no two drawings of a class are alike") {
  const auto known = stroke_digits(2000, 1), asked = stroke_digits(300, 1, 28, 2000);
  std::size_t right = 0;
  double nearest_of_all = std::numeric_limits<double>::infinity();
  for (std::size_t q = 0; q < 300; ++q) {
    double nearest = std::numeric_limits<double>::infinity();
    std::size_t which = 0;
    for (std::size_t i = 0; i < 2000; ++i) {
      const double d = squared_distance(asked.pixels.data() + 784 * q, known.pixels.data() + 784 * i, 784);
      if (d < nearest) nearest = d, which = i;
    }
    if (known.labels[which] == asked.labels[q]) ++right;
    nearest_of_all = std::min(nearest_of_all, nearest);
  }
  // The nearest of 2000 drawings names the class of 19 in 20 at least (chance would be 1 in 10).
  CHECK(right >= 285);
  CHECK(nearest_of_all > 1.0);
}

TEST_CASE("stroke digits that cannot be are refused") {
  CHECK_REFUSED(stroke_digits(0, 1), "the number of stroke digits is 0");
  CHECK_REFUSED(stroke_digits(1, 1, 11), "the side of the stroke digits is 11");
  CHECK_REFUSED(stroke_digits(1, 1, 1025), "the side of the stroke digits is 1025");
}
