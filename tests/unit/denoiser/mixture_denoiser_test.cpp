#include <softscore/denoiser/mixture_denoiser.hpp>

#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>

#include "random_batch.hpp"
#include "refusal.hpp"
#include "slope.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

const shape image{1, 1, 2, 2}, one{1, 1, 1, 1};
const corruption<gaussian_blur, variance_exploding> blurring{
    gaussian_blur{.half_width = 3}, variance_exploding{.sigma_min = 0.1, .sigma_max = 0.8, .level_max = 1.5}};
const corruption<identity, variance_exploding> noise{identity{},
                                                     variance_exploding{.sigma_min = 0.5, .sigma_max = 0.5}};

Eigen::MatrixXd some_covariance(double phase) {
  Eigen::MatrixXd root(4, 4);
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) root(i, j) = 0.5 * std::sin(phase + 3.0 * i + 2.0 * j + i * j);
  return root * root.transpose() + 0.1 * Eigen::MatrixXd::Identity(4, 4);
}
gaussian_mixture two_kinds() {
  return {{0.3, Eigen::VectorXd::LinSpaced(4, -1.0, 1.0), some_covariance(1.0)},
          {0.7, Eigen::VectorXd::LinSpaced(4, 0.5, -0.5), some_covariance(2.0)}};
}

// h of one image, with the workspace it was computed in.
template <class D>
std::vector<double> estimate_at(const D& exact, double t, const std::vector<double>& x, typename D::memory& memory) {
  serial_backend be;
  auto in = be.make<double>(image), out = be.make<double>(image);
  be.upload(x.data(), in.view());
  exact.estimate(be, condition{{0, 1}, diffusion_time{t}}, view<const double, host_space>(in.view()), out.view(),
                 memory);
  return values_of(be, out.view());
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
Eigen::VectorXd column(const std::vector<double>& values) { return as_vector(std::span<const double>{values}); }

}  // namespace

TEST_CASE("two points in noise have a logistic estimate", "[denoiser]") {
  // x_0 = +-1 with equal chance, deviation 0: E[x_0 given x] = tanh(x / sigma^2).
  serial_backend be;
  const gaussian_mixture points{{0.5, Eigen::VectorXd::Constant(1, 1.0), Eigen::MatrixXd::Zero(1, 1)},
                                {0.5, Eigen::VectorXd::Constant(1, -1.0), Eigen::MatrixXd::Zero(1, 1)}};
  const mixture_denoiser exact{noise, points, one};
  const shape five = one.with_images(5);
  auto x = be.make<double>(five), h = be.make<double>(five), slope = be.make<double>(five),
       ones = be.make<double>(five);
  const std::vector<double> places{-3.0, -0.2, 0.0, 0.1, 20.0};
  be.upload(places.data(), x.view());
  for (std::size_t i = 0; i < 5; ++i) ones.view()[i] = 1.0;
  auto memory = exact.workspace<double>(be, five);
  const condition q{{0, 5}, diffusion_time{0.5}};
  exact.estimate(be, q, x.view(), h.view(), memory);
  exact.pullback(be, q, ones.view(), slope.view(), memory);
  std::vector<double> logs(5);
  exact.log_density(be, q, x.view(), logs.data(), memory);
  for (std::size_t i = 0; i < 5; ++i) {
    const double y = places[i], wanted = std::tanh(y / 0.25);
    // A few operations on numbers of size 1; the slope is (1 - h^2) / sigma^2.
    CHECK_THAT(h.view()[i], WithinAbs(wanted, 1e-14));
    CHECK_THAT(slope.view()[i], WithinAbs((1 - wanted * wanted) / 0.25, 1e-13));
    // log of the mean of two normal densities, with the larger taken out; at y = 20 the smaller underflows in a sum.
    const double near = -0.5 * (std::abs(y) - 1) * (std::abs(y) - 1) / 0.25;
    const double density = near + std::log1p(std::exp(-2 * std::abs(y) / 0.25)) - std::log(2.0) -
                           0.5 * std::log(2 * std::numbers::pi * 0.25);
    CHECK_THAT(logs[i], WithinRel(density, 1e-14));
  }
}

TEST_CASE("a mixture of one component is the Gaussian denoiser", "[denoiser]") {
  serial_backend be;
  const Eigen::VectorXd mean = Eigen::VectorXd::LinSpaced(4, -1.0, 1.0);
  const gaussian_denoiser normal{blurring, mean, some_covariance(1.0), image};
  const mixture_denoiser mixture{blurring, gaussian_mixture{{1.0, mean, some_covariance(1.0)}}, image};
  const shape three = image.with_images(3);
  const auto x = random_batch<double>(be, three, 1), v = random_batch<double>(be, three, 2);
  auto a = be.make<double>(three), b = be.make<double>(three);
  auto of_normal = normal.workspace<double>(be, three);
  auto of_mixture = mixture.workspace<double>(be, three);
  const std::vector<diffusion_time> times{{1.0}, {0.4}, {0.1}};
  const condition q{{0, 3}, per_image<diffusion_time>{std::span<const diffusion_time>{times}}};
  const auto gap = [&] {
    double most = 0;
    for (std::size_t i = 0; i < three.size(); ++i) most = std::max(most, std::abs(a.view()[i] - b.view()[i]));
    return most;
  };
  normal.estimate(be, q, x.view(), a.view(), of_normal);
  mixture.estimate(be, q, x.view(), b.view(), of_mixture);
  // The marginals' condition number is below 100: twelve digits stay.
  CHECK(gap() < 1e-13);
  normal.pullback(be, q, v.view(), a.view(), of_normal);
  mixture.pullback(be, q, v.view(), b.view(), of_mixture);
  CHECK(gap() < 1e-13);
  std::vector<double> p(3), r(3);
  normal.log_density(be, q, x.view(), p.data(), of_normal);
  mixture.log_density(be, q, x.view(), r.data(), of_mixture);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK_THAT(p[i], WithinAbs(r[i], 1e-12));
    const auto host = values_of(be, x.view().images(i, 1));
    CHECK_THAT(p[i], WithinAbs(normal.log_density(times[i], column(host)), 1e-13));
  }
  CHECK((mixture.marginal(times[1])[0].covariance - normal.marginal(times[1]).second).cwiseAbs().maxCoeff() < 1e-15);
}

TEST_CASE("the mixture's pullback is the transpose of its Jacobian", "[denoiser]") {
  const mixture_denoiser exact{blurring, two_kinds(), image};
  serial_backend be;
  for (const double t : {0.1, 0.5, 1.0}) {
    const auto x = normal_numbers(4, 1), v = normal_numbers(4, 2);
    auto memory = exact.workspace<double>(be, image);
    estimate_at(exact, t, x, memory);
    auto in = be.make<double>(image), pulled = be.make<double>(image);
    be.upload(v.data(), in.view());
    exact.pullback(be, condition{{0, 1}, diffusion_time{t}}, view<const double, host_space>(in.view()), pulled.view(),
                   memory);
    auto other = exact.workspace<double>(be, image);
    const auto along = [&](const std::vector<double>& point) { return dot(estimate_at(exact, t, point, other), v); };
    // The bound of slope.hpp.
    CHECK(slope_error(along, x, values_of(be, pulled.view())) < 1e-7);
  }
}

TEST_CASE("the score is the gradient of the log density", "[denoiser]") {
  const mixture_denoiser mixture{blurring, two_kinds(), image};
  const gaussian_denoiser normal{blurring, two_kinds()[0].mean, two_kinds()[0].covariance, image};
  const auto x = normal_numbers(4, 3);
  const auto check = [&](const auto& exact, double t) {
    const Eigen::VectorXd score = exact.score(diffusion_time{t}, column(x));
    const auto density = [&](const std::vector<double>& at) {
      return exact.log_density(diffusion_time{t}, column(at));
    };
    CHECK(slope_error(density, x, std::vector<double>(score.begin(), score.end())) < 1e-7);
  };
  for (const double t : {0.1, 0.5, 1.0}) {
    check(mixture, t);
    check(normal, t);
  }
}

TEST_CASE("Tweedie's three forms agree", "[denoiser]") {
  // The score from the density; (C h - x) / sigma^2; and -E[z given x] / sigma with E[z given x] from the regression of
  // z on x, sigma sum_k share_k K_k^-1 (x - C m_k) (Daras et al. 2022, Eq. 16).
  const mixture_denoiser exact{blurring, two_kinds(), image};
  serial_backend be;
  for (const double t : {0.05, 0.3, 1.0}) {
    const diffusion_time at{t};
    const double sigma = blurring.sigma(at);
    const auto x = normal_numbers(4, 4);
    auto memory = exact.workspace<double>(be, image);
    const Eigen::VectorXd h = column(estimate_at(exact, t, x, memory)), share = exact.responsibilities(at, column(x));
    const Eigen::VectorXd first = exact.score(at, column(x));
    const Eigen::VectorXd second = (exact.signal_matrix(at) * h - column(x)) / (sigma * sigma);
    Eigen::VectorXd z = Eigen::VectorXd::Zero(4);
    const auto seen = exact.marginal(at);
    for (std::size_t k = 0; k < seen.size(); ++k)
      z += share[eigen_index(k)] * sigma * seen[k].covariance.llt().solve(column(x) - seen[k].mean);
    const Eigen::VectorXd third = -z / sigma;
    CHECK((first - second).cwiseAbs().maxCoeff() < 1e-12 * (1 + first.cwiseAbs().maxCoeff()));
    CHECK((first - third).cwiseAbs().maxCoeff() < 1e-12 * (1 + first.cwiseAbs().maxCoeff()));
  }
}

TEST_CASE("the log density of a mixture integrates to 1", "[denoiser]") {
  const gaussian_mixture distribution{
      {0.25, Eigen::VectorXd::Constant(1, 1.0), Eigen::MatrixXd::Constant(1, 1, 0.09)},
      {0.75, Eigen::VectorXd::Constant(1, -0.5), Eigen::MatrixXd::Constant(1, 1, 0.01)}};
  const mixture_denoiser exact{noise, distribution, one};
  // The trapezoidal rule for smooth functions that vanish at the ends, step a tenth of the smallest deviation, errs by
  // less than the rounding of the sum.
  double sum = 0, first = 0;
  const double step = 0.05;
  for (double x = -10; x < 10; x += step) {
    const double p = std::exp(exact.log_density(diffusion_time{0.5}, Eigen::VectorXd::Constant(1, x)));
    sum += p * step;
    first += x * p * step;
  }
  CHECK_THAT(sum, WithinAbs(1.0, 1e-13));
  CHECK_THAT(first, WithinAbs(mean_of(distribution)[0], 1e-13));
}

TEST_CASE("mean and covariance of a mixture are those of its parts", "[denoiser]") {
  const gaussian_mixture distribution{{0.25, Eigen::VectorXd::Constant(1, 1.0), Eigen::MatrixXd::Constant(1, 1, 2.0)},
                                      {0.75, Eigen::VectorXd::Constant(1, -1.0), Eigen::MatrixXd::Constant(1, 1, 4.0)}};
  // Second moment .25 (2 + 1) + .75 (4 + 1) = 4.5, mean -.5.
  CHECK(mean_of(distribution)[0] == -0.5);
  CHECK(covariance_of(distribution)(0, 0) == 4.25);
}

TEST_CASE("a mixture refuses what is no distribution", "[denoiser]") {
  const auto distribution = [](double weight, int size) {
    return gaussian_mixture{{weight, Eigen::VectorXd::Zero(size), Eigen::MatrixXd::Identity(size, size)}};
  };
  CHECK_REFUSED((mixture_denoiser{noise, gaussian_mixture{}, one}),
                "components of the mixture is 0, but it must be at least 1");
  CHECK_REFUSED((mixture_denoiser{noise, distribution(1.0, 2), one}),
                "length of the mean is 2, but it must be the number of elements of an image");
  CHECK_REFUSED((mixture_denoiser{noise, distribution(0.5, 1), one}),
                "sum of the weights of a mixture is 0.5, but it must be 1");
  CHECK_REFUSED((mixture_denoiser{noise, distribution(0.0, 1), one}),
                "weight of a component is 0, but it must be above 0");
}
