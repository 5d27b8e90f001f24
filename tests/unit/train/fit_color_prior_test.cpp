// The prior of Daras et al. 2022, Appendix D: mean and deviation of the mean colors, one constant mode per
// channel.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/undamaged.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/train/fit_color_prior.hpp>

#include "refusal.hpp"

using namespace softscore;

namespace {

const shape extent{5, 3, 2, 4};
constexpr std::size_t plane = 8;
constexpr pixel_scale scale{2.0f, -1.0f};

// Channel c of image i has the mean color (i + 1)(c + 1) / 16 and a pattern around it whose mean is 0; all are
// multiples of 1/64, so float32 holds them exactly.
std::vector<float> some_images() {
  std::vector<float> pixels(extent.size());
  for (std::size_t i = 0; i < extent.images; ++i)
    for (std::size_t c = 0; c < extent.channels; ++c)
      for (std::size_t k = 0; k < plane; ++k)
        pixels[(i * extent.channels + c) * plane + k] = static_cast<float>((i + 1) * (c + 1)) / 16.0f +
                                                        (k % 2 == 0 ? 1.0f : -1.0f) * static_cast<float>(k / 2) / 64.0f;
  return pixels;
}

}  // namespace

TEST_CASE("the color distribution has the mean and the deviation of the mean colors", "[train]") {
  const auto pixels = some_images();
  const fitted_prior prior = fit_color_prior(view<const float, host_space>{pixels.data(), extent}, scale);
  REQUIRE(prior.deviations().size() == 3);
  REQUIRE(prior.mean().size() == extent.per_image());
  for (std::size_t c = 0; c < 3; ++c) {
    CAPTURE(c);
    // Means of 1..5 are 3, variances 5/2 with the divisor n - 1; then gain and offset. Few additions of numbers near 1.
    const double unit = static_cast<double>(c + 1) / 16.0;
    CHECK_THAT(prior.deviations()[c], Catch::Matchers::WithinAbs(2.0 * unit * std::sqrt(2.5), 1e-14));
    for (std::size_t k = 0; k < plane; ++k)
      CHECK_THAT(prior.mean()[c * plane + k], Catch::Matchers::WithinAbs(2.0 * unit * 3.0 - 1.0, 1e-14));
  }
}

TEST_CASE("an image of the color distribution is one color, and its channels are independent", "[train]") {
  const auto pixels = some_images();
  const fitted_prior prior = fit_color_prior(view<const float, host_space>{pixels.data(), extent}, scale);
  constexpr int draws = 20000;
  std::vector<double> image(extent.per_image());
  double sum[3]{}, product[3][3]{};
  for (int n = 0; n < draws; ++n) {
    prior.draw(7, static_cast<std::uint64_t>(n), extent, image);
    double g[3];
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t k = 1; k < plane; ++k) REQUIRE(image[c * plane + k] == image[c * plane]);
      g[c] = (image[c * plane] - prior.mean()[c * plane]) / prior.deviations()[c];
      sum[c] += g[c] / draws;
    }
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t d = 0; d < 3; ++d) product[c][d] += g[c] * g[d] / draws;
  }
  // Five standard errors: 1/sqrt(n) for means and products of two channels, sqrt(2/n) for squares.
  const double error = 5.0 / std::sqrt(double{draws});
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(std::abs(sum[c]) < error);
    for (std::size_t d = 0; d < 3; ++d)
      CHECK(std::abs(product[c][d] - (c == d ? 1.0 : 0.0)) < (c == d ? std::sqrt(2.0) * error : error));
  }
}

TEST_CASE("the color distribution is of the first images alone, and of at least two", "[train]") {
  const auto pixels = some_images();
  const view<const float, host_space> images{pixels.data(), extent};
  const fitted_prior two = fit_color_prior(images, {}, 2);
  // Colors 1/16 and 2/16 of the first channel.
  CHECK_THAT(two.mean()[0], Catch::Matchers::WithinAbs(1.5 / 16, 1e-15));
  CHECK_THAT(two.deviations()[0], Catch::Matchers::WithinAbs(std::sqrt(0.5) / 16, 1e-15));
  CHECK_REFUSED(fit_color_prior(images.images(0, 1)),
                "number of images to fit a prior to is 1, but it must be at least 2");
}

TEST_CASE("no prior has numbers that are not finite", "[train]") {
  auto pixels = some_images();
  pixels[(3 * 3 + 1) * plane + 2] = std::nanf("");
  CHECK_REFUSED(fit_color_prior(view<const float, host_space>{pixels.data(), extent}),
                "the mean of channel 1 of image 3 is nan, but it must be finite");
  constexpr double infinite = HUGE_VAL;
  CHECK_REFUSED((fitted_prior{{0.0, infinite}, {1.0}, {1.0, 0.0}}), "an element of the prior's mean is inf");
  CHECK_REFUSED((fitted_prior{{0.0, 0.0}, {infinite}, {1.0, 0.0}}), "a deviation of the prior is inf");
  CHECK_REFUSED((fitted_prior{{0.0, 0.0}, {1.0}, {1.0, infinite}}), "an element of the prior's modes is inf");
}

// Own derivation: C_1 is linear, so a color u leaves u C_1 1, in float32 here.
TEST_CASE("what a blur leaves of one color has its borders and as much light as what it leaves of the images",
          "[train]") {
  const auto pixels = some_images();
  const view<const float, host_space> images{pixels.data(), extent};
  serial_backend be;
  const corruption blurring{gaussian_blur{.half_width = 4}, two_stage{.level_max = 2.0}};
  const fitted_prior prior = fit_color_prior(be, blurring, images, scale), plain = fit_color_prior(images, scale);
  const auto left_of = [&](std::vector<float> host, const shape& s) {
    auto clean = be.make<float>(s), gone = be.make<float>(s);
    be.upload(host.data(), clean.view());
    blurring.signal<serial_backend, float>(be, per_image<diffusion_time>{diffusion_time{1.0}}, clean.view(),
                                           gone.view());
    be.download(view<const float, host_space>{gone.view()}, host.data());
    return host;
  };
  const auto shade = left_of(std::vector<float>(extent.per_image(), 1.0f), extent.with_images(1));
  CHECK(shade.front() < 0.6f);
  std::vector<float> scaled = pixels;
  for (float& x : scaled) x = scale.gain * x + scale.offset;
  const auto gone = left_of(scaled, extent);
  for (std::size_t c = 0; c < 3; ++c) {
    CAPTURE(c);
    double ours = 0.0, theirs = 0.0;
    for (std::size_t k = c * plane; k < (c + 1) * plane; ++k) {
      ours += prior.mean()[k];
      for (std::size_t i = 0; i < extent.images; ++i)
        theirs += static_cast<double>(gone[i * extent.per_image() + k]) / static_cast<double>(extent.images);
      CHECK(prior.modes()[c * extent.per_image() + k] == static_cast<double>(shade[k]));
      CHECK(prior.modes()[c * extent.per_image() + (k + plane) % extent.per_image()] == 0.0);
      // One color: the mean has the shape of the shade.
      CHECK_THAT(prior.mean()[k] * static_cast<double>(shade[c * plane]),
                 Catch::Matchers::WithinAbs(prior.mean()[c * plane] * static_cast<double>(shade[k]), 1e-12));
    }
    CHECK_THAT(ours, Catch::Matchers::WithinAbs(theirs, 1e-12));
  }
  // Where nothing is lost the two are one.
  const fitted_prior same = fit_color_prior(be, corruption{identity{}, undamaged{}}, images, scale);
  for (std::size_t k = 0; k < extent.per_image(); ++k)
    CHECK_THAT(same.mean()[k], Catch::Matchers::WithinAbs(plain.mean()[k], 1e-6));
  for (std::size_t c = 0; c < 3; ++c)
    CHECK_THAT(same.deviations()[c], Catch::Matchers::WithinAbs(plain.deviations()[c], 1e-6));
  const corruption closing{centered_mask{}, two_stage{.level_min = 0.0, .level_max = 4.0, .levels = spacing::linear}};
  CHECK_REFUSED(fit_color_prior(be, closing, images),
                "what the corruption leaves of channel 0 of a white image is 0, but it must be positive");
}
