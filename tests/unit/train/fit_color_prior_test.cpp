// The prior of Daras et al. 2022, Appendix D: mean and deviation of the mean colors, one constant mode per
// channel.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

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
