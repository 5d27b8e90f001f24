// The likelihood by the probability flow (Chen et al. 2018; Daras et al. 2022, Eq. 19), against the exact densities of
// normal data and of mixtures.
#include <softscore/metric/log_likelihood.hpp>

#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/flow_matching.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/denoiser/mixture_denoiser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>

#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {

const shape eight{1, 2, 2, 2}, four{1, 1, 2, 2};
constexpr double first_time = 1.0, last_time = 0.05;

Eigen::MatrixXd some_covariance(int d, double phase) {
  Eigen::MatrixXd root(d, d);
  for (int i = 0; i < d; ++i)
    for (int j = 0; j < d; ++j) root(i, j) = 0.4 * std::sin(phase + 3.0 * i + 2.0 * j + i * j);
  return root * root.transpose() + 0.2 * Eigen::MatrixXd::Identity(d, d);
}
gaussian_mixture kinds(int d) {
  return {{0.3, Eigen::VectorXd::LinSpaced(d, -1.0, 1.0), some_covariance(d, 1.0)},
          {0.7, Eigen::VectorXd::LinSpaced(d, 0.5, -0.5), some_covariance(d, 2.0)}};
}

// The exact density of an oracle at a time, as the base.
template <class D>
auto density_of(const D& exact, double t) {
  return [&exact, t](auto& be, auto x, double* host) {
    auto memory = exact.template workspace<double>(be, x.extent());
    exact.log_density(be, condition{{0, x.extent().images}, diffusion_time{t}}, x, host, memory);
  };
}

// The largest error of the log densities of three images after as many steps.
template <class C, class D>
double largest_error(const C& corruption, const D& exact, const shape& image, std::size_t steps) {
  serial_backend be;
  const auto x = random_batch<double>(be, image.with_images(3), 1);
  const auto found = log_likelihood(be, corruption, exact, uniform_grid(steps, first_time, last_time), x.view(),
                                    density_of(exact, first_time));
  CHECK(found.nfe == 4 * steps);
  CHECK(found.pullbacks == 4 * steps * image.per_image());
  std::vector<double> wanted(3);
  density_of(exact, last_time)(be, x.view(), wanted.data());
  double most = 0;
  for (std::size_t i = 0; i < 3; ++i) most = std::max(most, std::abs(found.log_density[i] - wanted[i]));
  return most;
}

const corruption<scaling, variance_preserving> preserving{scaling{},
                                                          variance_preserving{.rate_first = 0.5, .rate_last = 3.0}};
const corruption<gaussian_blur, variance_exploding> blurring{
    gaussian_blur{.half_width = 3}, variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.5}};
const corruption<fade, variance_exploding> fading{
    fade{}, variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.0}};

}  // namespace

TEST_CASE("the flow's likelihood of normal data is exact to 1e-6", "[metric]") {
  const auto check = [](const auto& corruption) {
    const gaussian_denoiser exact{corruption, kinds(8)[0].mean, kinds(8)[0].covariance, eight};
    CHECK(largest_error(corruption, exact, eight, 256) < 1e-6);
  };
  check(preserving);
  check(blurring);
  check(fading);
}

TEST_CASE("the flow's likelihood of a mixture is exact to 1e-6", "[metric]") {
  const auto check = [](const auto& corruption, const shape& image) {
    const mixture_denoiser exact{corruption, kinds(static_cast<int>(image.per_image())), image};
    CHECK(largest_error(corruption, exact, image, 256) < 1e-6);
  };
  check(preserving, eight);
  check(fading, eight);
  check(blurring, four);
}

TEST_CASE("the likelihood is of order 4 in the steps", "[metric]") {
  const mixture_denoiser exact{preserving, kinds(4), four};
  const double rough = largest_error(preserving, exact, four, 16), fine = largest_error(preserving, exact, four, 32);
  CAPTURE(rough, fine);
  CHECK_THAT(std::log2(rough / fine), WithinAbs(4.0, 0.4));
}

TEST_CASE("on its own grid the likelihood of a mixture is exact to 1e-4 nat, under any schedule", "[metric]") {
  // Narrower heaps than above. The largest errors of six images, measured: 1e-6 (VP, one element), 1.4e-5 (VP), 1.2e-5
  // (VP, slow), 1.6e-5 (cosine), 2.5e-5 (flow matching), 8e-6 (VE) and 2.4e-5 (blur). By as many equal steps: 0.8 to 6
  // under all but VE and the blur, where equal steps in time are those of the grid.
  const auto narrow = [](int d) {
    gaussian_mixture mixture = kinds(d);
    for (auto& each : mixture) each.covariance.diagonal().array() -= 0.15;
    return mixture;
  };
  const auto check = [](const auto& corruption, const gaussian_mixture& mixture, const shape& image, double equal) {
    serial_backend be;
    const mixture_denoiser exact{corruption, mixture, image};
    const auto x = random_batch<double>(be, image.with_images(6), 1);
    std::vector<double> wanted(6);
    density_of(exact, 1e-3)(be, x.view(), wanted.data());
    const auto error = [&](const likelihood_result& found) {
      double most = 0;
      for (std::size_t i = 0; i < 6; ++i) most = std::max(most, std::abs(found.log_density[i] - wanted[i]));
      return most;
    };
    const auto base = density_of(exact, 1.0);
    const auto found = log_likelihood(be, corruption, exact, x.view(), base);
    CHECK(found.nfe == 800);
    CHECK(error(found) < 1e-4);
    if (equal > 0)
      CHECK(error(log_likelihood(be, corruption, exact, uniform_grid(200, 1.0, 1e-3), x.view(), base)) > equal);
  };
  const corruption vp{scaling{}, variance_preserving{}};
  SECTION("VP, one element") {
    const auto heap = [](double weight, double mean, double variance) {
      return gaussian_component{weight, Eigen::VectorXd::Constant(1, mean), Eigen::MatrixXd::Constant(1, 1, variance)};
    };
    check(vp, {heap(0.35, -0.8, 0.16), heap(0.65, 0.6, 0.3025)}, {1, 1, 1, 1}, 0.3);
  }
  SECTION("VP") { check(vp, narrow(4), four, 1.0); }
  SECTION("VP, slow") {
    check(corruption{scaling{}, variance_preserving{.rate_first = 0.5, .rate_last = 3.0}}, narrow(4), four, 1.0);
  }
  SECTION("cosine") { check(corruption{scaling{}, cosine{}}, narrow(4), four, 1.0); }
  SECTION("flow matching") { check(corruption{scaling{}, flow_matching{}}, narrow(4), four, 0.3); }
  SECTION("VE") {
    check(corruption{identity{}, variance_exploding{.sigma_min = 0.01, .sigma_max = 50.0}}, narrow(4), four, 0.0);
  }
  SECTION("blur") {
    check(corruption{gaussian_blur{.half_width = 3},
                     variance_exploding{.sigma_min = 0.02, .sigma_max = 0.8, .level_max = 1.5}},
          narrow(4), four, 0.0);
  }
}

TEST_CASE("the grid of a likelihood is even where only time moves, and refuses what has no logarithm", "[metric]") {
  const corruption still{fade{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 0.1, .level_max = 1.0}};
  const auto grid = likelihood_grid(still, 4, 1.0, 0.2), even = uniform_grid(4, 1.0, 0.2);
  for (std::size_t i = 0; i < 4; ++i) CHECK_THAT(grid[i].s.value, WithinAbs(even[i].s.value, 1e-15));
  CHECK(grid.start().value == 1.0);
  CHECK(grid.end().value == 0.2);
  // Where log sigma is a straight line in time both parts are the same.
  const corruption straight{identity{}, variance_exploding{.sigma_min = 0.01, .sigma_max = 50.0}};
  const auto same = likelihood_grid(straight, 4, 1.0, 0.2);
  for (std::size_t i = 0; i < 4; ++i) CHECK_THAT(same[i].s.value, WithinAbs(even[i].s.value, 1e-14));
  // VP: the steps near the data are shorter than those near the noise.
  const auto bent = likelihood_grid(preserving, 100);
  CHECK(bent[99].t.value - bent[99].s.value < 0.1 * (bent[0].t.value - bent[0].s.value));
  CHECK_REFUSED(likelihood_grid(preserving, 0), "steps is 0, but it must be at least 1");
  CHECK_REFUSED(likelihood_grid(preserving, 4, 1.0, 0.0), "to is 0, but it must be above 0 and below from");
  CHECK_REFUSED(likelihood_grid(preserving, 4, 1.5), "from is 1.5, but it must be at most 1");
}

TEST_CASE("Hutchinson's estimate is unbiased", "[metric]") {
  // The same image under 2000 probes: the mean is within four standard errors of the exact trace's.
  serial_backend be;
  const mixture_denoiser exact{preserving, kinds(4), four};
  const std::size_t count = 2000;
  const auto one = random_batch<double>(be, four, 3);
  auto same = be.make<double>(four.with_images(count));
  for (std::size_t i = 0; i < count; ++i)
    be.combine(same.view().images(i, 1), term<double, host_space>{1.0, one.view()});
  const auto grid = uniform_grid(8, first_time, last_time);
  const auto base = density_of(exact, first_time);
  const double wanted = log_likelihood(be, preserving, exact, grid, one.view(), base).log_density[0];
  const auto check = [&](std::size_t probes) {
    const auto found = log_likelihood(be, preserving, exact, grid, same.view(), base,
                                      {.trace = trace_by::probes, .probes = probes, .seed = 5});
    CHECK(found.pullbacks == 4 * 8 * probes);
    double mean = 0, square = 0;
    for (const double each : found.log_density) mean += each / static_cast<double>(count);
    for (const double each : found.log_density)
      square += (each - mean) * (each - mean) / static_cast<double>(count - 1);
    const double standard_error = std::sqrt(square / static_cast<double>(count));
    CAPTURE(probes, mean - wanted, standard_error);
    CHECK(standard_error > 1e-4);
    CHECK(std::abs(mean - wanted) < 4 * standard_error);
    return square;
  };
  const double of_one = check(1), of_four = check(4);
  // A variance of 2000 samples is known to about 2 / sqrt(2000) = 4.5 %, and falls like 1 / probes.
  CHECK_THAT(of_one / of_four, WithinAbs(4.0, 4 * 2 * 0.045 * 2));
}

TEST_CASE("a flow without an image leaves the density of its noise", "[metric]") {
  // h = 0: x = sigma u, so log p_0(x) = log N(x sigma_1 / sigma_0) + d log(sigma_1 / sigma_0), exactly.
  serial_backend be;
  const corruption exploding{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}};
  const gaussian_denoiser nothing{exploding, Eigen::VectorXd::Zero(4), Eigen::MatrixXd::Zero(4, 4), four};
  const auto x = random_batch<double>(be, four, 1);
  const auto found = log_likelihood(be, exploding, nothing, uniform_grid(2, 1.0, 0.0), x.view(), white_density{4.0});
  std::vector<double> wanted(1);
  white_density{0.01}(be, x.view(), wanted.data());
  CHECK_THAT(found.log_density[0], WithinAbs(wanted[0], 1e-11));  // numbers of size 300
}

TEST_CASE("the likelihood refuses times without noise", "[metric]") {
  serial_backend be;
  const gaussian_denoiser exact{preserving, Eigen::VectorXd::Zero(4), Eigen::MatrixXd::Identity(4, 4), four};
  const auto x = random_batch<double>(be, four, 1);
  CHECK_REFUSED(log_likelihood(be, preserving, exact, uniform_grid(4), x.view(), white_density{}),
                "sigma at a time of the grid is 0, but it must be above 0");
  CHECK_REFUSED(log_likelihood(be, preserving, exact, uniform_grid(4, 1.0, 0.1), x.view(), white_density{},
                               {.trace = trace_by::probes, .probes = 0}),
                "probes is 0, but it must be at least 1");
}

TEST_CASE("an image without a finite likelihood is named", "[metric]") {
  serial_backend be;
  const gaussian_denoiser exact{preserving, Eigen::VectorXd::Zero(4), Eigen::MatrixXd::Identity(4, 4), four};
  const auto grid = uniform_grid(2, 1.0, 0.1);
  auto x = random_batch<double>(be, four.with_images(3), 1);
  CHECK_REFUSED(log_likelihood(be, preserving, exact, grid, x.view(), white_density{0.0}),
                "variance is 0, but it must be above 0 and finite");
  const auto nowhere = [](auto&, const auto& at, double* host) {
    for (std::size_t i = 0; i < at.extent().images; ++i) host[i] = i == 1 ? -HUGE_VAL : 0.0;
  };
  CHECK_REFUSED(log_likelihood(be, preserving, exact, grid, x.view(), nowhere, {.first = 100}),
                "the log density of image 101 is -inf, but it must be finite");
  x.view()[2 * 4 + 1] = std::nan("");
  CHECK_REFUSED(log_likelihood(be, preserving, exact, grid, x.view(), white_density{}, {.first = 100}),
                "the sum of squares of image 102 is nan, but it must be finite");
}
