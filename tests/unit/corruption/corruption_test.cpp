// Schedules with the numbers of their papers (Ho et al. 2020; Song et al. 2021; Daras et al. 2022), and x_t = C_t x_0 +
// N_t xi for one time and for one per image, with the background of Knottenbelt n.d. and Bansal et al. 2022 too.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>

#include "printed.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

TEST_CASE("the linear schedule has the numbers of Ho et al. 2020", "[corruption]") {
  const corruption chain{scaling{}, linear_beta{}};
  const auto abar = [&](int index_from_1) {
    const double a = chain.signal_gain(diffusion_time{index_from_1 / 1000.0});
    return a * a;
  };
  // The reference values count indices from 0.
  CHECK_THAT(abar(1), WithinRel(0.9999, 1e-15));
  CHECK_THAT(abar(500), as_printed("0.0785872428818"));
  CHECK_THAT(abar(1000), as_printed("4.03582976538e-5"));
  CHECK(abar(0) == 1.0);
  // The product itself, and that of a table of T + 1 betas, whose entry 0 makes index 1 another number: the code of
  // Knottenbelt n.d. has such a table.
  long double product = 1, shifted = 1 - 1e-4L;
  for (int t = 1; t <= 1000; ++t) {
    product *= 1 - (1e-4L + (t - 1) * (0.02L - 1e-4L) / 999);
    shifted *= 1 - (1e-4L + t * (0.02L - 1e-4L) / 1000);
    CHECK_THAT(abar(t), WithinRel(static_cast<double>(product), 1e-12));
    if (t == 1) CHECK_THAT(static_cast<double>(shifted), as_printed("0.99978011199"));
    // One factor more, so that every entry is below ours by the factor .99988 or less.
    CHECK(static_cast<double>(shifted) < 0.9999 * abar(t));
  }
  CHECK_THAT(static_cast<double>(shifted), as_printed("3.99520240597e-5"));
  const auto noise_over_signal = [&](double t) {
    return chain.sigma(diffusion_time{t}) / chain.signal_gain(diffusion_time{t});
  };
  CHECK_THAT(noise_over_signal(1.0), as_printed("157.407280810"));
  CHECK_THAT(noise_over_signal(1.0), WithinRel(static_cast<double>(std::sqrt((1 - product) / product)), 1e-12));
  CHECK(chain.sigma(diffusion_time{0.0}) == 0.0);
  CHECK(chain.level_at(diffusion_time{0.0}).value == 0.0);
  // beta_t = 1 - abar_t / abar_{t-1}, at every index.
  for (int t = 1; t <= 1000; ++t)
    CHECK_THAT(1 - abar(t) / abar(t - 1), WithinRel(1e-4 + (t - 1) * (0.02 - 1e-4) / 999, 1e-9));
  // log abar is linear between two indices.
  CHECK_THAT(std::pow(chain.signal_gain(diffusion_time{0.5005}), 4), WithinRel(abar(500) * abar(501), 1e-12));
  for (int i = 0; i <= 4000; ++i) {
    const diffusion_time t{i / 4000.0};
    CHECK_THAT(std::pow(chain.signal_gain(t), 2) + std::pow(chain.sigma(t), 2), WithinAbs(1.0, 1e-14));
    if (i > 0) CHECK(chain.sigma(t) > chain.sigma(diffusion_time{(i - 1) / 4000.0}));
  }
  CHECK_REFUSED(linear_beta(0), "steps is 0, but it must be at least 1");
  CHECK_REFUSED(linear_beta(10, 0.0), "first beta is 0, but it must be between 0 and 1");
  CHECK_REFUSED(linear_beta(10, 0.1, 1.0), "last beta is 1, but it must be between 0 and 1");
  CHECK(linear_beta(1).steps() == 1);
}

TEST_CASE("the variance-preserving schedule keeps variance 1 and has the reference values", "[corruption]") {
  const corruption preserving{scaling{}, variance_preserving{}};
  const diffusion_time middle{0.5};
  const double a = preserving.signal_gain(middle), sigma = preserving.sigma(middle);
  CHECK_THAT(a, as_printed("0.281182880797"));
  CHECK_THAT(sigma, as_printed("0.959654202068"));
  // beta = .1 + 19.9 t, so that at 1/2 it is 10.05 and its integral B = .05 + 19.9 / 8.
  const double integral = 0.05 + 19.9 / 8;
  CHECK_THAT(a, WithinRel(std::exp(-0.5 * integral), 1e-12));
  CHECK_THAT(sigma, WithinRel(std::sqrt(1 - std::exp(-integral)), 1e-12));
  for (int i = 0; i <= 1000; ++i) {
    const diffusion_time t{i / 1000.0};
    CHECK_THAT(std::pow(preserving.signal_gain(t), 2) + std::pow(preserving.sigma(t), 2), WithinAbs(1.0, 1e-14));
  }
  CHECK(preserving.signal_gain(diffusion_time{0.0}) == 1.0);
  CHECK(preserving.sigma(diffusion_time{0.0}) == 0.0);
  // d(sigma / a) / dt from the rates of noise and level, a = exp(-level); in closed form sigma / a = sqrt(e^B - 1).
  const variance_preserving rule{};
  const double rate = rule.sigma_rate_at(middle) / a + sigma / a * rule.level_rate_at(middle);
  CHECK_THAT(rate, as_printed("18.6222614932"));
  CHECK_THAT(rate, WithinRel(0.5 * 10.05 * std::exp(integral) / std::sqrt(std::expm1(integral)), 1e-12));
}

TEST_CASE("the exploding schedule is geometric and has the reference rate", "[corruption]") {
  const variance_exploding noise{.sigma_min = 0.01, .sigma_max = 50.0, .level_max = 3.0};
  CHECK_THAT(noise.sigma_at(diffusion_time{0.0}), WithinRel(0.01, 1e-15));
  CHECK_THAT(noise.sigma_at(diffusion_time{1.0}), WithinRel(50.0, 1e-14));
  CHECK_THAT(noise.sigma_at(diffusion_time{0.5}), WithinRel(std::sqrt(0.5), 1e-14));
  CHECK(noise.level_at(diffusion_time{0.5}).value == 1.5);
  // g^2 = d(sigma^2)/dt = 2 sigma sigma', which is 2 log(5000) / 2 at 1/2.
  const diffusion_time middle{0.5};
  const double g = std::sqrt(2 * noise.sigma_at(middle) * noise.sigma_rate_at(middle));
  CHECK_THAT(g, as_printed("2.91842306587"));
  CHECK_THAT(g, WithinRel(std::sqrt(std::log(5000.0)), 1e-12));
}

TEST_CASE("two stages: first the noise, then the corruption", "[corruption]") {
  // Our own defaults: .01 to .1 in the first 15 % of time, then the level from .3 to 14, geometric.
  const two_stage blur{};
  const auto sigma = [&](double t) { return blur.sigma_at(diffusion_time{t}); };
  const auto level_of = [&](double t) { return blur.level_at(diffusion_time{t}).value; };
  CHECK_THAT(sigma(0.0), WithinRel(0.01, 1e-15));
  CHECK_THAT(sigma(0.075), WithinRel(std::sqrt(0.001), 1e-14));
  CHECK_THAT(sigma(0.15 - 1e-9), WithinRel(0.1, 1e-6));
  for (const double t : {0.15, 0.2, 0.7, 1.0}) CHECK(sigma(t) == 0.1);
  for (const double t : {0.0, 0.1, 0.15}) CHECK(level_of(t) == 0.0);
  CHECK_THAT(level_of(0.15 + 1e-12), WithinRel(0.3, 1e-10));
  CHECK_THAT(level_of(0.15 + 0.85 / 2), WithinRel(std::sqrt(0.3 * 14), 1e-14));
  CHECK_THAT(level_of(1.0), WithinRel(14.0, 1e-14));
  // The mask's: linear, side 28 to 0.
  const two_stage mask{.level_min = 0.0, .level_max = 28.0, .levels = spacing::linear};
  CHECK(mask.level_at(diffusion_time{0.15}).value == 0.0);
  CHECK_THAT(mask.level_at(diffusion_time{0.575}).value, WithinRel(14.0, 1e-14));
  CHECK_THAT(mask.level_at(diffusion_time{1.0}).value, WithinRel(28.0, 1e-15));
  for (int i = 1; i <= 1000; ++i) {
    CHECK(sigma(i / 1000.0) >= sigma((i - 1) / 1000.0));
    CHECK(level_of(i / 1000.0) >= level_of((i - 1) / 1000.0));
  }
}

TEST_CASE("severity rises linearly", "[corruption]") {
  CHECK(severity{}.level_at(diffusion_time{0.0}).value == 0.0);
  CHECK(severity{}.level_at(diffusion_time{0.25}).value == 25.0);
  CHECK(severity{20.0}.level_at(diffusion_time{1.0}).value == 20.0);
}

namespace {

// x_t from the library, and C_t x_0 + sigma_t xi put together here, for a time of each image's own.
template <class C>
void check_corrupts(const C& corruption, const shape& extent) {
  serial_backend be;
  const auto clean = random_batch<double>(be, extent, 1), xi = random_batch<double>(be, extent, 2);
  auto noisy = be.make<double>(extent), signal = be.make<double>(extent);
  std::vector<diffusion_time> times;
  for (std::size_t i = 0; i < extent.images; ++i)
    times.push_back(diffusion_time{static_cast<double>(i) / static_cast<double>(extent.images - 1)});
  const per_image<diffusion_time> each{std::span<const diffusion_time>{times}};
  corruption.template corrupt<serial_backend, double>(be, each, clean.view(), xi.view(), noisy.view());
  corruption.template signal<serial_backend, double>(be, each, clean.view(), signal.view());
  double worst = 0;
  for (std::size_t i = 0; i < extent.images; ++i)
    for (std::size_t k = 0; k < extent.per_image(); ++k) {
      const double wanted = signal.view().image(i)[k] + corruption.sigma(times[i]) * xi.view().image(i)[k];
      worst = std::max(worst, std::abs(noisy.view().image(i)[k] - wanted));
    }
  // One rounding of numbers below 60 times 10.
  CHECK(worst < 600 * 2.3e-16);
  for (std::size_t i = 0; i < extent.images; ++i) {
    auto alone = be.make<double>(extent.with_images(1));
    corruption.template corrupt<serial_backend, double>(be, times[i], clean.view().images(i, 1), xi.view().images(i, 1),
                                                        alone.view());
    CHECK((values_of(be, alone.view()) == values_of(be, noisy.view().images(i, 1))));
  }
}

}  // namespace

TEST_CASE("corrupting is C_t x_0 + sigma_t xi, at one time for all and at one for each", "[corruption]") {
  const shape extent{5, 2, 6, 7};
  check_corrupts(corruption{identity{}, variance_exploding{}}, extent);
  check_corrupts(corruption{scaling{}, variance_preserving{}}, extent);
  check_corrupts(corruption{scaling{}, linear_beta{}}, extent);
  check_corrupts(corruption{gaussian_blur{.half_width = 4}, two_stage{}}, extent);
  check_corrupts(corruption{centered_mask{}, two_stage{.level_min = 0, .level_max = 7, .levels = spacing::linear}},
                 extent);
  check_corrupts(corruption{fade{}, two_stage{.level_max = 1.0}}, extent);
}

TEST_CASE("unit variance stays under a variance-preserving corruption", "[corruption]") {
  serial_backend be;
  const shape extent{64, 1, 64, 64};
  const corruption preserving{scaling{}, variance_preserving{}};
  auto clean = be.make<float>(extent), xi = be.make<float>(extent), noisy = be.make<float>(extent);
  be.normal(noise_key{.seed = 1, .stream = noise_stream::data}, image_range{0, 64}, clean.view());
  be.normal(noise_key{.seed = 1, .stream = noise_stream::training}, image_range{0, 64}, xi.view());
  for (const double t : {0.05, 0.3, 1.0}) {
    preserving.corrupt<serial_backend, float>(be, diffusion_time{t}, clean.view(), xi.view(), noisy.view());
    std::vector<double> squares(64);
    be.dot(noisy.view(), noisy.view(), squares.data());
    double sum = 0;
    for (const double s : squares) sum += s;
    const double n = static_cast<double>(extent.size());
    CHECK_THAT(sum / n, WithinAbs(1.0, 5 * std::sqrt(2 / n)));  // five standard errors of a variance
  }
}

TEST_CASE("sampling starts from what is left at time 1 and the noise there", "[corruption]") {
  serial_backend be;
  const shape extent{300, 1, 3, 4};
  const image_range images{7, 300};
  auto x = be.make<double>(extent), xi = be.make<double>(extent);
  const two_stage schedule{.sigma_max = 0.5};

  const corruption nothing{gaussian_blur{}, schedule};
  nothing.start<serial_backend, double>(be, diffusion_time{1.0}, 3, images, x.view(), xi.view());
  bool exact = true;
  for (std::size_t i = 0; i < x.view().size(); ++i) exact = exact && x.view()[i] == 0.5 * xi.view()[i];
  CHECK(exact);

  // Mean and two modes: one deviation along constants, one along the first pixel.
  std::vector<double> mean(12), modes(24);
  for (std::size_t k = 0; k < 12; ++k) {
    mean[k] = 0.1 * static_cast<double>(k);
    modes[k] = 1.0;
  }
  modes[12] = 1.0;
  const fitted_prior distribution{mean, {2.0, 0.7}, modes};
  const corruption fitted{gaussian_blur{}, schedule, distribution};
  CHECK_FALSE(fitted.prior().zero());
  fitted.start<serial_backend, double>(be, diffusion_time{1.0}, 3, images, x.view(), xi.view());
  double shared_sum = 0, shared_squares = 0, own_squares = 0, of_noise = 0;
  for (std::size_t i = 0; i < 300; ++i) {
    const auto left = [&](std::size_t k) { return x.view().image(i)[k] - 0.5 * xi.view().image(i)[k] - mean[k]; };
    for (std::size_t k = 2; k < 12; ++k) CHECK_THAT(left(k), WithinAbs(left(1), 1e-14));
    shared_sum += left(1);
    shared_squares += left(1) * left(1);
    own_squares += (left(0) - left(1)) * (left(0) - left(1));
    of_noise += left(1) * xi.view().image(i)[5];
  }
  // Five standard errors each, over 300 images.
  const double root = std::sqrt(300.0);
  CHECK_THAT(shared_sum / 300, WithinAbs(0.0, 5 * 2.0 / root));
  CHECK_THAT(shared_squares / 300, WithinAbs(4.0, 5 * 4.0 * std::sqrt(2.0) / root));
  CHECK_THAT(own_squares / 300, WithinAbs(0.49, 5 * 0.49 * std::sqrt(2.0) / root));
  CHECK_THAT(of_noise / 300, WithinAbs(0.0, 5 * 2.0 / root));
  // The same image in another batch.
  auto one = be.make<double>(extent.with_images(1)), one_xi = be.make<double>(extent.with_images(1));
  fitted.start<serial_backend, double>(be, diffusion_time{1.0}, 3, image_range{47, 1}, one.view(), one_xi.view());
  CHECK((values_of(be, one.view()) == values_of(be, x.view().images(40, 1))));

  CHECK_REFUSED(fitted_prior({0, 0}, {1.0}, {1.0}),
                "number of mode elements is 1, but it must be the length of the mean times the number of deviations");
  auto wide = be.make<double>(shape{1, 1, 4, 4}), wide_xi = be.make<double>(shape{1, 1, 4, 4});
  CHECK_REFUSED((fitted.start<serial_backend, double>(be, diffusion_time{1.0}, 3, image_range{0, 1}, wide.view(),
                                                      wide_xi.view())),
                "image elements is 16, but it must be the number that the prior was fitted to");
}

TEST_CASE("a background has its distribution, one color and grain per image", "[corruption]") {
  serial_backend be;
  const shape extent{4000, 1, 4, 4};
  const background_corruption erasing{eraser{4, 4, 10}, severity{10.0}};
  auto b = be.make<double>(extent);
  erasing.draw_xi<serial_backend, double>(be, noise_key{.seed = 5, .stream = noise_stream::training},
                                          image_range{0, 4000}, b.view());
  double sum = 0, squares = 0, products = 0, most = 0;
  for (std::size_t i = 0; i < 4000; ++i) {
    const auto image = b.view().image(i);
    sum += image[0];
    squares += image[0] * image[0];
    products += image[0] * image[7];
    for (const double v : image) most = std::max(most, std::abs(v));
  }
  // b = c + .05 z: variance 1/12 + .0025, covariance of two pixels 1/12. Five standard errors; those of squares and
  // products are below sqrt(E c^4) = sqrt(1/80) and a little grain.
  const double root = std::sqrt(4000.0);
  CHECK_THAT(sum / 4000, WithinAbs(0.0, 5 * std::sqrt(1.0 / 12 + 0.0025) / root));
  CHECK_THAT(squares / 4000, WithinAbs(1.0 / 12 + 0.0025, 5 * 0.12 / root));
  CHECK_THAT(products / 4000, WithinAbs(1.0 / 12, 5 * 0.12 / root));
  CHECK(most < 0.5 + 0.05 * 6.77);
  auto one = be.make<double>(extent.with_images(1));
  erasing.draw_xi<serial_backend, double>(be, noise_key{.seed = 5, .stream = noise_stream::training},
                                          image_range{40, 1}, one.view());
  CHECK((values_of(be, one.view()) == values_of(be, b.view().images(40, 1))));
}

TEST_CASE("under a background x_t = C_t x_0 + (I - C_t) b", "[corruption]") {
  serial_backend be;
  const shape extent{4, 2, 5, 4};
  const background_corruption erasing{eraser{5, 4, 10}, severity{10.0}};
  const auto clean = random_batch<double>(be, extent, 1), b = random_batch<double>(be, extent, 2);
  auto noisy = be.make<double>(extent), of_clean = be.make<double>(extent), of_b = be.make<double>(extent);
  const std::vector<diffusion_time> times{{0.0}, {0.1}, {0.5}, {1.0}};
  const per_image<diffusion_time> each{std::span<const diffusion_time>{times}};
  erasing.corrupt<serial_backend, double>(be, each, clean.view(), b.view(), noisy.view());
  erasing.signal<serial_backend, double>(be, each, clean.view(), of_clean.view());
  erasing.signal<serial_backend, double>(be, each, b.view(), of_b.view());
  double worst = 0;
  for (std::size_t i = 0; i < extent.size(); ++i)
    worst = std::max(worst, std::abs(noisy.view()[i] - (of_clean.view()[i] + b.view()[i] - of_b.view()[i])));
  CHECK(worst < 4e-15);  // three roundings of numbers below 4
  // Nothing of b at time 0, to the rounding of (x - b) + b; nothing but b at time 1.
  for (std::size_t k = 0; k < extent.per_image(); ++k) {
    CHECK_THAT(noisy.view().image(0)[k], WithinAbs(clean.view().image(0)[k], 2e-15));
    CHECK(noisy.view().image(3)[k] == b.view().image(3)[k]);
  }
  auto x = be.make<double>(extent), xi = be.make<double>(extent);
  erasing.start<serial_backend, double>(be, diffusion_time{1.0}, 9, image_range{0, 4}, x.view(), xi.view());
  CHECK((values_of(be, x.view()) == values_of(be, xi.view())));
}

TEST_CASE("a schedule that lacks a level or a noise somewhere is refused when the corruption is made", "[corruption]") {
  CHECK_REFUSED((corruption{fade{}, two_stage{.level_min = 0.0}}), "level_min is 0, but it must be above 0");
  CHECK_REFUSED((corruption{fade{}, two_stage{.level_min = 2.0, .level_max = 1.0}}), "level_min is 2");
  CHECK_REFUSED((corruption{fade{}, two_stage{.sigma_min = 0.0}}), "sigma_min is 0, but it must be above 0");
  CHECK_REFUSED((corruption{fade{}, two_stage{.stage = 1.0}}), "stage is 1, but it must be between 0 and 1");
  CHECK_REFUSED((corruption{identity{}, variance_exploding{.sigma_max = -1.0}}), "at most sigma_max");
  CHECK_REFUSED(linear_beta{}.sigma_at(diffusion_time{1.5}), "time is 1.5, but it must be between 0 and 1");
}
