// The fitted distribution of prior.hpp, our own, is the normal distribution of fully corrupted images, in their leading
// modes.
#include "catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/train/fit_prior.hpp>

#include "refusal.hpp"

using namespace softscore;

namespace {

const corruption fading{fade{}, two_stage{.level_min = 0.0, .level_max = 0.5, .levels = spacing::linear}};
const shape extent{40, 1, 2, 3};
constexpr pixel_scale scale{2.0f, -0.25f};

std::vector<float> some_images() {
  std::vector<float> pixels(extent.size());
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<float>(uniform(noise_key{.seed = 4}, 0, static_cast<std::uint32_t>(i)));
  return pixels;
}

// C_1 of image i's pixel k, as fade defines it: half of m is taken away, m the distance from the center.
double gone(const std::vector<float>& pixels, std::size_t i, std::size_t k) {
  static constexpr double m[6] = {2.0 / 3, 0.5, 2.0 / 3, 2.0 / 3, 0.5, 2.0 / 3};
  return (1.0 - 0.5 * m[k]) * (2.0 * static_cast<double>(pixels[6 * i + k]) - 0.25);
}

}  // namespace

TEST_CASE("the prior has the mean and, with all modes, the covariance of what is left at time 1", "[train]") {
  const auto pixels = some_images();
  serial_backend be;
  const fitted_prior prior = fit_prior(be, fading, view<const float, host_space>{pixels.data(), extent}, scale);
  REQUIRE(prior.deviations().size() == 6);
  std::vector<double> mean(6);
  for (std::size_t k = 0; k < 6; ++k)
    for (std::size_t i = 0; i < 40; ++i) mean[k] += gone(pixels, i, k) / 40;
  for (std::size_t k = 0; k < 6; ++k) {
    CAPTURE(k);
    // The images are float32 numbers below 2: rounded three times on the way, by 1.2e-7 each.
    CHECK_THAT(prior.mean()[k], Catch::Matchers::WithinAbs(mean[k], 4e-7));
    for (std::size_t l = 0; l < 6; ++l) {
      double wanted = 0, found = 0;
      for (std::size_t i = 0; i < 40; ++i)
        wanted += (gone(pixels, i, k) - mean[k]) * (gone(pixels, i, l) - mean[l]) / 39;
      for (std::size_t mode = 0; mode < 6; ++mode)
        found += prior.deviations()[mode] * prior.deviations()[mode] * prior.modes()[6 * mode + k] *
                 prior.modes()[6 * mode + l];
      // A product of two such numbers.
      CHECK_THAT(found, Catch::Matchers::WithinAbs(wanted, 2e-6));
    }
  }
}

TEST_CASE("fewer modes are the leading ones, and of the first images alone", "[train]") {
  const auto pixels = some_images();
  const view<const float, host_space> images{pixels.data(), extent};
  serial_backend be;
  const fitted_prior all = fit_prior(be, fading, images, scale), two = fit_prior(be, fading, images, scale, 2);
  REQUIRE(two.deviations().size() == 2);
  CHECK(two.deviations()[0] == all.deviations()[0]);
  CHECK(two.deviations()[1] == all.deviations()[1]);
  CHECK(two.deviations()[0] >= two.deviations()[1]);
  const fitted_prior first = fit_prior(be, fading, images.images(0, 20), scale, 2),
                     most = fit_prior(be, fading, images, scale, 2, 20);
  CHECK(std::equal(first.mean().begin(), first.mean().end(), most.mean().begin()));
  // Three images span two modes.
  CHECK(fit_prior(be, fading, images.images(0, 3)).deviations().size() == 2);
}

TEST_CASE("no distribution is fitted to one image", "[train]") {
  const auto pixels = some_images();
  serial_backend be;
  CHECK_REFUSED(fit_prior(be, fading, view<const float, host_space>(pixels.data(), extent.with_images(1))),
                "number of images to fit a prior to is 1, but it must be at least 2");
}
