// The distribution of an image given a measurement (Chung et al. 2023): Bayes' rule against quadrature and against
// conditioning, and samplers that draw from it.
#include <softscore/denoiser/posterior_denoiser.hpp>

#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/probability_flow.hpp>

#include "affine_step.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

const shape image{1, 1, 2, 2}, one{1, 1, 1, 1};

Eigen::MatrixXd some_covariance() {
  Eigen::MatrixXd root(4, 4);
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) root(i, j) = 0.5 * std::sin(1.0 + 3.0 * i + 2.0 * j + i * j);
  return root * root.transpose() + 0.1 * Eigen::MatrixXd::Identity(4, 4);
}
gaussian_mixture normal_prior() { return {{1.0, Eigen::VectorXd::LinSpaced(4, -0.5, 1.0), some_covariance()}}; }

const observation measured{image, {0.4, -0.3, 0.8, 0.1}};
const measurement blurred{gaussian_blur{.half_width = 2}, level{0.8}, 0.3};
const corruption<gaussian_blur, variance_exploding> blurring{
    gaussian_blur{.half_width = 3}, variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.5}};
const corruption<scaling, variance_preserving> preserving{scaling{},
                                                          variance_preserving{.rate_first = 0.5, .rate_last = 3.0}};

}  // namespace

TEST_CASE("the posterior distribution is that of Bayes' rule, by quadrature", "[denoiser]") {
  // One element: the moments of prior times likelihood by the trapezoidal rule, exact to rounding for these functions.
  const gaussian_mixture prior{{0.25, Eigen::VectorXd::Constant(1, 1.0), Eigen::MatrixXd::Constant(1, 1, 0.16)},
                               {0.75, Eigen::VectorXd::Constant(1, -0.5), Eigen::MatrixXd::Constant(1, 1, 0.25)}};
  const double gain = 0.7, sigma = 0.4, y = 0.3;
  const gaussian_mixture distribution =
      posterior_distribution(prior, Eigen::MatrixXd::Constant(1, 1, gain), sigma, Eigen::VectorXd::Constant(1, y));
  double mass = 0, first = 0, second = 0;
  for (double x = -8; x < 8; x += 0.01) {
    double p = 0;
    for (const gaussian_component& c : prior) {
      const double variance = c.covariance(0, 0), rest = x - c.mean[0];
      p += c.weight * std::exp(-0.5 * rest * rest / variance) / std::sqrt(variance);
    }
    p *= std::exp(-0.5 * (y - gain * x) * (y - gain * x) / (sigma * sigma));
    mass += p;
    first += p * x;
    second += p * x * x;
  }
  const double mean = first / mass;
  CHECK_THAT(mean_of(distribution)[0], WithinAbs(mean, 1e-13));
  CHECK_THAT(covariance_of(distribution)(0, 0), WithinAbs(second / mass - mean * mean, 1e-13));
}

TEST_CASE("the posterior of normal data is the conditional normal distribution", "[denoiser]") {
  // Precisions add: S_y^-1 = S^-1 + A^T A / sigma^2, S_y^-1 m_y = S^-1 m + A^T y / sigma^2: another route.
  const gaussian_mixture prior = normal_prior();
  const Eigen::MatrixXd a = measurement_matrix(blurred, image);
  const Eigen::VectorXd y = as_vector(measured.of(0));
  const gaussian_mixture distribution = posterior_distribution(prior, a, blurred.sigma, y);
  const Eigen::MatrixXd prior_precision = prior[0].covariance.inverse();
  const Eigen::MatrixXd precision = prior_precision + a.transpose() * a / (0.3 * 0.3);
  // The prior's condition number is below 100.
  CHECK((distribution[0].covariance * precision - Eigen::MatrixXd::Identity(4, 4)).cwiseAbs().maxCoeff() < 1e-13);
  const Eigen::VectorXd wanted = prior_precision * prior[0].mean + a.transpose() * y / (0.3 * 0.3);
  CHECK((precision * distribution[0].mean - wanted).cwiseAbs().maxCoeff() < 1e-12);
}

TEST_CASE("without noise the posterior holds the measurement itself", "[denoiser]") {
  // The mask keeps one pixel of four, so A S A^T is singular.
  const shape three{1, 1, 3, 3};
  const measurement seen{centered_mask{}, level{2.0}, 0.0};
  std::vector<double> y(9, 0.0);
  y[4] = 0.7;
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Constant(9, 9, 0.5);
  covariance.diagonal().setOnes();
  const gaussian_mixture prior{{1.0, Eigen::VectorXd::Zero(9), covariance}};
  const gaussian_mixture distribution =
      posterior_distribution(prior, measurement_matrix(seen, three), seen.sigma, as_vector(std::span<const double>{y}));
  CHECK_THAT(distribution[0].mean[4], WithinAbs(0.7, 1e-15));
  CHECK_THAT(distribution[0].covariance(4, 4), WithinAbs(0.0, 1e-15));
  // The others: correlation .5 with the one that is seen.
  CHECK_THAT(distribution[0].mean[0], WithinAbs(0.35, 1e-15));
  CHECK_THAT(distribution[0].covariance(0, 0), WithinAbs(0.75, 1e-15));
}

TEST_CASE("the posterior's estimate is the regression on x_t and y together", "[denoiser]") {
  // E[x_0 given (x_t, y)] with both stacked into one measurement of covariance diag(sigma_t^2, sigma^2).
  const diffusion_time t{0.6};
  serial_backend be;
  const posterior_denoiser exact{blurring, normal_prior(), blurred, measured, image};
  const auto x = random_batch<double>(be, image, 1);
  auto h = be.make<double>(image);
  auto memory = exact.workspace<double>(be, image);
  exact.estimate(be, condition{{0, 1}, t}, x.view(), h.view(), memory);
  const Eigen::MatrixXd s = some_covariance();
  Eigen::MatrixXd both(8, 4);
  both << exact.signal_matrix(t), measurement_matrix(blurred, image);
  Eigen::MatrixXd k = both * s * both.transpose();
  k.diagonal().head(4).array() += blurring.sigma(t) * blurring.sigma(t);
  k.diagonal().tail(4).array() += 0.3 * 0.3;
  Eigen::VectorXd seen(8);
  const auto host = values_of(be, x.view());
  seen << as_vector(std::span<const double>{host}), as_vector(measured.of(0));
  const Eigen::VectorXd mean = normal_prior()[0].mean;
  const Eigen::VectorXd wanted = mean + s * both.transpose() * k.ldlt().solve(seen - both * mean);
  for (std::size_t i = 0; i < 4; ++i) CHECK_THAT(h.view()[i], WithinAbs(wanted[static_cast<int>(i)], 1e-12));
}

TEST_CASE("every image of a run has its own posterior, whatever the batch", "[denoiser]") {
  serial_backend be;
  const shape three = image.with_images(3);
  const auto y = random_batch<double>(be, three, 5), x = random_batch<double>(be, three, 6);
  const observation each = observation::from(be, y.view());
  const posterior_denoiser exact{blurring, normal_prior(), blurred, each, image};
  auto together = be.make<double>(three), alone = be.make<double>(image);
  auto memory = exact.workspace<double>(be, three);
  exact.estimate(be, condition{{0, 3}, diffusion_time{0.5}}, x.view(), together.view(), memory);
  for (std::size_t i = 0; i < 3; ++i) {
    exact.estimate(be, condition{{i, 1}, diffusion_time{0.5}}, x.view().images(i, 1), alone.view(), memory);
    CHECK((values_of(be, alone.view()) == values_of(be, together.view().images(i, 1))));
  }
  CHECK_REFUSED(exact.distribution(3), "number of the image is 3, but it must be below the number of distributions");
}

namespace {

constexpr double first_time = 1.0, last_time = 0.05;

// The measured order at every doubling from 64 to 512 steps, as in order_test.cpp, with the posterior as the data.
template <class S, class C>
void check_order(const S& sampler, const C& corruption) {
  const posterior_denoiser<C> exact{corruption, normal_prior(), blurred, measured, image};
  const auto marginal = [&](double t) {
    const gaussian_mixture distribution = exact.marginal(diffusion_time{t});
    return gaussian_distribution{distribution[0].mean, distribution[0].covariance};
  };
  const gaussian_distribution wanted = marginal(last_time);
  double last = 0;
  for (std::size_t steps = 64; steps <= 512; steps *= 2) {
    const gaussian_distribution drawn = distribution_after(
        sampler, corruption, exact, image, uniform_grid(steps, first_time, last_time), marginal(first_time));
    const double error = (drawn.covariance - wanted.covariance).cwiseAbs().maxCoeff();
    CAPTURE(steps, error);
    // Each step maps C_t m to C_s m: 512 steps on numbers below 1, and a factor of ten.
    CHECK((drawn.mean - wanted.mean).cwiseAbs().maxCoeff() < 512 * 10 * 1.1e-16);
    if (steps > 64) CHECK_THAT(std::log2(last / error), WithinRel(double{S::order}, 0.1));
    last = error;
  }
}

}  // namespace

TEST_CASE("with the posterior's estimate the samplers draw from the posterior, with their order", "[denoiser]") {
  SECTION("momentum under a blur") { check_order(momentum{}, blurring); }
  SECTION("ddim under a blur") { check_order(ddim{}, blurring); }
  SECTION("heun under a blur") { check_order(heun{}, blurring); }
  SECTION("probability flow under a blur") { check_order(probability_flow{}, blurring); }
  SECTION("momentum under preserved variance") { check_order(momentum{}, preserving); }
  SECTION("ddim under preserved variance") { check_order(ddim{}, preserving); }
  SECTION("ddpm under preserved variance") { check_order(ddpm{}, preserving); }
  SECTION("heun under preserved variance") { check_order(heun{}, preserving); }
}

TEST_CASE("measurements and observations refuse what cannot be", "[denoiser]") {
  CHECK_REFUSED((observation{image, {1.0}}),
                "values of the observation is 1, but it must be the elements of its shape");
  CHECK_REFUSED((observation{one, {std::nan("")}}), "value of the observation is nan, but it must be finite");
  CHECK_REFUSED((posterior_denoiser{blurring, normal_prior(), blurred, observation{one, {1.0}}, image}),
                "extent of the observation is 1 x 1 x 1 x 1, but it must be that of the images");
  const measurement backwards{identity{}, level{0.0}, -1.0};
  CHECK_REFUSED((posterior_denoiser{blurring, normal_prior(), backwards, measured, image}),
                "sigma of the measurement is -1, but it must be at least 0");
}
