#include <softscore/data/loader.hpp>
#include <softscore/data/staged_batches.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <softscore/core/xtensor.hpp>

#include "catch.hpp"
#include "refusal.hpp"

using softscore::shuffling_loader;

namespace {

std::vector<std::uint32_t> step_of(shuffling_loader& loader, std::size_t step) {
  const auto numbers = loader.indices(step);
  return {numbers.begin(), numbers.end()};
}

}  // namespace

TEST_CASE("an epoch shows every image at most once and drops the last partial batch") {
  shuffling_loader loader{1003, 100, 5};
  CHECK(loader.steps_per_epoch() == 10);
  CHECK(shuffling_loader(60000, 128, 0).steps_per_epoch() == 468);  // Knottenbelt n.d.
  for (const std::size_t epoch : {std::size_t{0}, std::size_t{1}, std::size_t{17}}) {
    std::set<std::uint32_t> seen;
    for (std::size_t i = 0; i < 10; ++i) {
      CHECK(loader.epoch_of(10 * epoch + i) == epoch);
      for (const auto number : step_of(loader, 10 * epoch + i)) {
        CHECK(number < 1003);
        seen.insert(number);
      }
    }
    CHECK(seen.size() == 1000);
  }
}

TEST_CASE("the images of a step depend on seed, epoch and step alone") {
  shuffling_loader straight{50, 7, 3}, resumed{50, 7, 3}, other{50, 7, 4};
  std::map<std::size_t, std::vector<std::uint32_t>> steps;
  for (std::size_t step = 0; step < 40; ++step) steps[step] = step_of(straight, step);
  for (const std::size_t step : {std::size_t{39}, std::size_t{3}, std::size_t{22}, std::size_t{0}}) {
    CHECK(step_of(resumed, step) == steps[step]);
  }
  CHECK(steps[0] != steps[7]);
  CHECK(step_of(other, 0) != steps[0]);
}

TEST_CASE("a shuffle is pinned, so that a run resumes alike on any compiler") {
  shuffling_loader loader{10, 10, 1};
  CHECK(step_of(loader, 0) == std::vector<std::uint32_t>{6, 1, 4, 2, 5, 7, 3, 0, 8, 9});
}

TEST_CASE("every order of five images is as likely as every other") {
  shuffling_loader loader{5, 5, 11};
  std::map<std::vector<std::uint32_t>, std::size_t> counts;
  constexpr std::size_t epochs = 12'000;
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) ++counts[step_of(loader, epoch)];
  CHECK(counts.size() == 120);
  double chi2 = 0.0;
  for (const auto& [order, count] : counts) chi2 += std::pow(static_cast<double>(count) - 100.0, 2) / 100.0;
  // 119 degrees of freedom: mean 119, deviation sqrt(2 119) = 15.4; five deviations either way.
  CHECK(std::abs(chi2 - 119.0) < 5.0 * 15.4);
}

TEST_CASE("gather copies and rescales the images asked for") {
  auto images = softscore::make_tensor({4, 2, 3, 3});
  for (std::size_t i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i) / 128.0f;
  auto out = softscore::make_tensor({3, 2, 3, 3});
  const std::array<std::uint32_t, 3> numbers{3, 0, 3};
  softscore::gather(softscore::as_view(images), numbers, {2.0f, -0.5f}, softscore::as_view(out));
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 18; ++j) {
      // Exact: the numbers are multiples of 1/128 below 2.
      CHECK(out.data()[18 * i + j] == 2.0f * images.data()[18 * numbers[i] + j] - 0.5f);
    }
  }
}

TEST_CASE("a staged batch is that of its step, whatever was prepared, borrowed or asked for before") {
  auto images = softscore::make_tensor({10, 1, 2, 3});
  for (std::size_t i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i);
  const softscore::pixel_scale scale{0.5f, 1.0f};
  softscore::staged_batches batches{softscore::as_view(images), 4, 7, scale};
  REQUIRE(batches.steps_per_epoch() == 2);
  const auto check = [&](std::size_t step) {
    auto expected = softscore::make_tensor({4, 1, 2, 3});
    shuffling_loader loader{10, 4, 7};
    softscore::gather(softscore::as_view(images), loader.indices(step), scale, softscore::as_view(expected));
    const auto batch = batches.of(step);
    REQUIRE(batch.extent() == softscore::shape{4, 1, 2, 3});
    for (std::size_t i = 0; i < batch.size(); ++i) CHECK(batch[i] == expected.data()[i]);
  };
  check(0);
  batches.prepare(1);
  check(1);
  batches.prepare(2);  // of the next epoch
  check(2);
  check(1);
  batches.prepare(3);
  const auto memory = batches.borrow(3);
  REQUIRE(memory.extent() == softscore::shape{3, 1, 2, 3});
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = -1.0f;
  check(3);
}

TEST_CASE("flips mirror about half of the images left-right and leave the rest, and what is known follows its image") {
  // Element (i, c, y, x) holds its own place, so an image and its mirror image are known by their numbers.
  auto images = softscore::make_tensor({30, 2, 3, 5});
  for (std::size_t i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i);
  std::vector<softscore::class_label> labels(30);
  for (std::size_t i = 0; i < 30; ++i) labels[i] = static_cast<softscore::class_label>(i) - 1;
  const auto beside = softscore::as_view(std::as_const(images)), features = beside.slice(0, {30, 6, 1, 1});
  const softscore::conditioning known{labels, beside, features};
  softscore::staged_batches batches{softscore::as_view(images), 10, 7, {}, known, true},
      again{softscore::as_view(images), 10, 7, {}, known, true},
      other{softscore::as_view(images), 10, 8, {}, known, true};
  std::size_t flipped = 0, alike = 0;
  const std::size_t steps = 300;
  for (std::size_t step = 0; step < steps; ++step) {
    const auto batch = batches.of(step);
    shuffling_loader loader{30, 10, 7};
    const auto numbers = loader.indices(step);
    const auto given = batches.given();
    REQUIRE(given.labels.size() == 10);
    REQUIRE(given.image.extent() == batch.extent());
    REQUIRE(given.features.extent() == softscore::shape{10, 6, 1, 1});
    for (std::size_t i = 0; i < 10; ++i) {
      CHECK(given.labels[i] == labels[numbers[i]]);
      CHECK(std::ranges::equal(given.features.image(i), features.image(numbers[i])));
      CHECK(std::ranges::equal(given.image.image(i), batch.image(i)));
      const auto image = batch.image(i);
      const bool mirrored = image[0] > image[1];
      flipped += mirrored ? 1u : 0u;
      bool right = true;
      for (std::size_t row = 0; row < 6; ++row)
        for (std::size_t x = 0; x < 5; ++x)
          right = right && image[5 * row + x] == images.data()[30 * numbers[i] + 5 * row + (mirrored ? 4 - x : x)];
      CHECK(right);
      const auto of_other = other.of(step).image(i);
      alike += (of_other[0] > of_other[1]) == mirrored ? 1u : 0u;
    }
  }
  // 3000 draws of probability 1/2: five standard deviations are 5 sqrt(3000) / 2 = 137. The same for two seeds.
  CHECK(std::abs(static_cast<double>(flipped) - 1500.0) < 137.0);
  CHECK(std::abs(static_cast<double>(alike) - 1500.0) < 137.0);
  for (const std::size_t step : {std::size_t{299}, std::size_t{4}}) {
    const auto first = batches.of(step), second = again.of(step);
    for (std::size_t i = 0; i < first.size(); ++i) CHECK(first[i] == second[i]);
  }
}

TEST_CASE("loaders and batches that cannot be are refused") {
  CHECK_REFUSED(shuffling_loader(0, 1, 0), "the number of training images is 0");
  CHECK_REFUSED(shuffling_loader(std::size_t{1} << 32, 1, 0), "the number of training images is 4294967296");
  CHECK_REFUSED(shuffling_loader(10, 0, 0), "the batch size is 0");
  CHECK_REFUSED(shuffling_loader(10, 11, 0), "the batch size is 11");
  const auto images = softscore::make_tensor({4, 1, 3, 3});
  auto out = softscore::make_tensor({2, 1, 3, 3});
  const std::array<std::uint32_t, 2> numbers{1, 4};
  CHECK_REFUSED(softscore::gather(softscore::as_view(images), numbers, {}, softscore::as_view(out)),
                "the number of an image is 4");
  const std::array<softscore::class_label, 3> few{};
  CHECK_REFUSED((softscore::staged_batches{softscore::as_view(images), 2, 0, {}, {few}}),
                "for the training images, number of labels is 3, but it must be that of the images, 4");
  const std::array<std::uint32_t, 1> one{1};
  CHECK_REFUSED(softscore::gather(softscore::as_view(images), one, {}, softscore::as_view(out)),
                "the shape of the batch is 2 x 1 x 3 x 3");
}
