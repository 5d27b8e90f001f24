// Samplers for inverse problems (Chung et al. 2023; Song et al. 2023; Kawar et al. 2022; Wang et al. 2022; Zhu et al.
// 2023; Lugmayr et al. 2022): their numbers, the distributions they keep, and the biases they cannot lose, pinned by
// the differential equations of their limits.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <thread>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/denoiser/posterior_denoiser.hpp>
#include <softscore/operator/box_downsampling.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/diagonal.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddrm.hpp>
#include <softscore/sampler/diffpir.hpp>
#include <softscore/sampler/dps.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/pigdm.hpp>
#include <softscore/sampler/projection.hpp>
#include <softscore/sampler/repaint.hpp>

#include "affine_run.hpp"
#include "affine_step.hpp"
#include "heap.hpp"
#include "refusal.hpp"
#include "steady_denoiser.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {

// Keeps the first element of every image: a mask with one element seen.
struct first_element {};

// a^2 = .5 at time 1 and .8 at time .5, variance preserved.
struct half_way {
  level level_at(diffusion_time t) const { return level{-0.5 * std::log(square(t))}; }
  double sigma_at(diffusion_time t) const { return std::sqrt(1 - square(t)); }
  static double square(diffusion_time t) { return t.value == 1.0 ? 0.5 : t.value == 0.5 ? 0.8 : 1.0; }
};

}  // namespace

template <>
struct softscore::degradation<first_element> : softscore::diagonal<softscore::degradation<first_element>> {
  static double entry(const first_element&, level, const shape&, pixel p) { return p.column == 0 ? 1.0 : 0.0; }
};

namespace {

const shape one{1, 1, 1, 1}, pair{1, 1, 1, 2}, four{1, 1, 2, 2};
const corruption<scaling, variance_preserving> preserving{scaling{},
                                                          variance_preserving{.rate_first = 0.5, .rate_last = 3.0}};

// The image after one step from t to s without noise.
template <class S, class C, class D>
std::vector<double> one_step(const S& sampler, const C& corruption, const D& denoiser, std::vector<double> x, double t,
                             double s, const shape& image) {
  given_noise_backend be;
  start_point<given_noise_backend, double> from{be.make<double>(image), be.make<double>(image), {0, 1}};
  be.upload(x.data(), from.x.view());
  const auto end = integrate(be, sampler, corruption, denoiser, time_grid{{t, s}}, std::move(from), 0);
  be.download(end.x.view(), x.data());
  return x;
}

template <class C>
gaussian_denoiser<C> white(const C& corruption, const shape& image, double variance = 1.0) {
  const auto d = static_cast<Eigen::Index>(image.per_image());
  return {corruption, Eigen::VectorXd::Zero(d), variance * Eigen::MatrixXd::Identity(d, d), image};
}

}  // namespace

TEST_CASE("DPS and pseudoinverse guidance have the reference scores", "[sampler]") {
  // N(0,1) data, abar .5, x_t 1, y 2, sigma_y .5. What the guidance adds to x_s is its score times sigma_t^2 (a_s / a_t
  // - c), with DDIM's c = sigma_s / sigma_t.
  const corruption half{scaling{}, half_way{}};
  const auto exact = white(half, one);
  const measurement how{identity{}, level{}, 0.5};
  const observation y{one, {2.0}};
  const double a_t = std::sqrt(0.5), a_s = std::sqrt(0.8), c = std::sqrt(0.2 / 0.5), share = 0.5 * (a_s / a_t - c);
  const double plain = one_step(ddim{}, half, exact, {1.0}, 1.0, 0.5, one)[0];
  const auto score = [&](const auto& sampler) {
    return (one_step(sampler, half, exact, {1.0}, 1.0, 0.5, one)[0] - plain) / share;
  };
  // Twelve printed digits.
  CHECK_THAT(score(dps{how, y, 1.0, dps_scale::likelihood, ddim{}}), WithinAbs(3.65685424949, 5e-12));
  CHECK_THAT(score(pigdm{how, y}), WithinAbs(1.21895141650, 5e-12));
  // By the gains instead of the score's share: a_s a_t r^2 times it, r^2 = sigma_t^2 here.
  const double gentle =
      one_step(pigdm{how, y, 1.0, ddim{}, pigdm_scale::gain}, half, exact, {1.0}, 1.0, 0.5, one)[0] - plain;
  CHECK_THAT(gentle, WithinAbs(a_s * a_t * 0.5 * 1.21895141650, 5e-12));
  // The formulas behind: J = a, h = a x.
  CHECK_THAT(score(dps{how, y, 1.0, dps_scale::likelihood, ddim{}}), WithinAbs(a_t * (2 - a_t) / 0.25, 1e-12));
  CHECK_THAT(score(pigdm{how, y}), WithinAbs(a_t * (2 - a_t) / 0.75, 1e-12));
}

TEST_CASE("DPS goes against the gradient of the squared distance", "[sampler]") {
  // The gradient of |y - A h(x)|^2 by central differences, exact for a square but for rounding, 1e-16 / 1e-4.
  const corruption half{scaling{}, half_way{}};
  const gaussian_denoiser exact{half, Eigen::VectorXd::LinSpaced(4, -1, 1),
                                Eigen::MatrixXd::Constant(4, 4, 0.3) + Eigen::MatrixXd::Identity(4, 4), four};
  const measurement how{gaussian_blur{.half_width = 1}, level{0.7}, 0.1};
  const std::vector<double> y{0.5, -1.0, 0.25, 2.0}, x{0.3, 0.8, -0.9, 0.1};
  const Eigen::MatrixXd a = measurement_matrix(how, four), gain = exact.gain_matrix(diffusion_time{1.0});
  const auto distance = [&](const std::vector<double>& at) {
    const Eigen::VectorXd h =
        exact.mean() + gain * (as_vector(std::span<const double>{at}) - std::sqrt(0.5) * exact.mean());
    return (as_vector(std::span<const double>{y}) - a * h).squaredNorm();
  };
  const auto plain = one_step(ddpm{}, half, exact, x, 1.0, 0.5, four);
  const auto fixed = one_step(dps{how, observation{four, y}, 0.3, dps_scale::constant}, half, exact, x, 1.0, 0.5, four);
  const auto scaled = one_step(dps{how, observation{four, y}, 0.3}, half, exact, x, 1.0, 0.5, four);
  const auto at_end =
      one_step(dps{how, observation{four, y}, 0.3, dps_scale::constant}, half, exact, x, 1.0, 0.0, four);
  const auto estimate = one_step(ddpm{}, half, exact, x, 1.0, 0.0, four);
  for (std::size_t i = 0; i < 4; ++i) {
    auto up = x, down = x;
    up[i] += 1e-4;
    down[i] -= 1e-4;
    const double slope = (distance(up) - distance(down)) / 2e-4;
    CHECK_THAT(fixed[i], WithinAbs(plain[i] - 0.3 * slope, 1e-10));
    CHECK_THAT(scaled[i], WithinAbs(plain[i] - 0.3 * slope / std::sqrt(distance(x)), 1e-10));
    CHECK_THAT(at_end[i], WithinAbs(estimate[i] - 0.3 * slope, 1e-10));
  }
}

TEST_CASE("pseudoinverse guidance is exact for data N(0, v I), whatever the measurement", "[sampler]") {
  // Then the guided estimate is E[x_0 given x_t, y], so each step is the rule's with that estimate.
  const double v = 0.6;
  const measurement how{gaussian_blur{.half_width = 2}, level{0.8}, 0.3};
  const observation y{four, {0.4, -0.3, 0.8, 0.1}};
  const gaussian_mixture prior{{1.0, Eigen::VectorXd::Zero(4), v * Eigen::MatrixXd::Identity(4, 4)}};
  const posterior_denoiser exact{preserving, prior, how, y, four};
  const auto check = [&](const auto& rule, double t, double s) {
    const time_grid grid{{t, s}};
    const affine_step guided =
        measured_step(pigdm{how, y, v, rule}, preserving, white(preserving, four, v), four, grid);
    const affine_step wanted = measured_step(rule, preserving, exact, four, grid);
    // Conjugate gradients stop at 1e-13.
    CHECK((guided.state - wanted.state).cwiseAbs().maxCoeff() < 1e-12);
    CHECK((guided.constant - wanted.constant).cwiseAbs().maxCoeff() < 1e-12);
    CHECK((guided.noise - wanted.noise).cwiseAbs().maxCoeff() < 1e-12);
  };
  for (const auto& [t, s] : {std::pair{1.0, 0.9}, {0.5, 0.2}, {0.1, 0.0}}) {
    check(ddim{}, t, s);
    check(ddim{1.0}, t, s);
    check(ddpm{}, t, s);
    check(momentum{}, t, s);
  }
  // It is not for other data.
  const gaussian_mixture other{{1.0, Eigen::VectorXd::Zero(4), Eigen::MatrixXd::Constant(4, 4, 0.5)}};
  const affine_step missed =
      measured_step(pigdm{how, y}, preserving, gaussian_denoiser{preserving, other[0].mean, other[0].covariance, four},
                    four, time_grid{{0.5, 0.2}});
  const affine_step right = measured_step(ddim{}, preserving, posterior_denoiser{preserving, other, how, y, four}, four,
                                          time_grid{{0.5, 0.2}});
  CHECK((missed.state - right.state).cwiseAbs().maxCoeff() > 0.01);
}

TEST_CASE("projection ends at an image that agrees with the measurement", "[sampler]") {
  const corruption fading{fade{}, variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.0}};
  const observation y{pair, {0.7, 123.0}};  // the second element is not measured
  const measurement how{first_element{}, level{}};
  const auto check = [&](const auto& sampler, const auto& corruption) {
    serial_backend be;
    const auto grid = uniform_grid(9);
    const auto end = integrate(be, sampler, corruption, white(corruption, pair), grid,
                               draw_start<double>(be, corruption, grid, pair, {0, 5}, 3), 3);
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK_THAT(end.x.view()[2 * i], WithinAbs(0.7, 1e-15));
      CHECK(std::abs(end.x.view()[2 * i + 1]) < 20.0);
    }
  };
  check(projection{how, y}, fading);
  check(projection{how, y, ddpm{}}, preserving);
  // A blur, whose inverse is found to 1e-13 times its condition number, below 100.
  serial_backend be;
  const measurement blurred{gaussian_blur{.half_width = 2}, level{0.6}};
  const observation seen{four, {0.4, -0.3, 0.8, 0.1}};
  const auto grid = uniform_grid(9);
  const auto end = integrate(be, projection{blurred, seen}, fading, white(fading, four), grid,
                             draw_start<double>(be, fading, grid, four, {0, 3}, 3), 3);
  auto again = be.make<double>(four.with_images(3));
  blurred.apply<serial_backend, double>(be, end.x.view(), again.view());
  for (std::size_t i = 0; i < 12; ++i) CHECK_THAT(again.view()[i], WithinAbs(seen.of(0)[i % 4], 1e-11));
}

TEST_CASE("DiffPIR's estimate is the minimum of its proximal problem", "[sampler]") {
  const measurement how{gaussian_blur{.half_width = 2}, level{0.8}, 0.3};
  const observation y{four, {0.4, -0.3, 0.8, 0.1}};
  const double lambda = 2.5, t = 0.6, s = 0.4, zeta = 0.4;
  const auto exact = white(preserving, four);
  const std::vector<double> x{0.3, 0.8, -0.9, 0.1};
  const double a_t = preserving.signal_gain(diffusion_time{t}), sigma_t = preserving.sigma(diffusion_time{t});
  const double a_s = preserving.signal_gain(diffusion_time{s}), sigma_s = preserving.sigma(diffusion_time{s});
  const double rho = lambda * 0.09 * a_t * a_t / (sigma_t * sigma_t);
  const Eigen::MatrixXd a = measurement_matrix(how, four);
  const Eigen::VectorXd seen = as_vector(y.of(0)), state = as_vector(std::span<const double>{x}), h = a_t * state;
  const Eigen::VectorXd wanted =
      (a.transpose() * a + rho * Eigen::MatrixXd::Identity(4, 4)).ldlt().solve(a.transpose() * seen + rho * h);
  const auto at_end = one_step(diffpir{how, y, lambda, zeta}, preserving, exact, x, t, 0.0, four);
  const auto next = one_step(diffpir{how, y, lambda, zeta}, preserving, exact, x, t, s, four);
  for (std::size_t i = 0; i < 4; ++i) {
    const double best = wanted[static_cast<Eigen::Index>(i)];
    CHECK_THAT(at_end[i], WithinAbs(best, 1e-12));
    CHECK_THAT(next[i], WithinAbs(a_s * best + std::sqrt(1 - zeta) * sigma_s / sigma_t * (x[i] - a_t * best), 1e-12));
  }
}

TEST_CASE("without noise DDRM returns the measurement, in every mode that is measured", "[sampler]") {
  const shape square{1, 1, 4, 4};
  const auto check = [&](const auto& how, double condition) {
    serial_backend be;
    auto truth = be.make<double>(square), seen = be.make<double>(square),
         again = be.make<double>(square.with_images(3));
    for (std::size_t i = 0; i < 16; ++i) truth.view()[i] = std::sin(3.0 + 2.0 * static_cast<double>(i));
    how.template apply<serial_backend, double>(be, truth.view(), seen.view());
    const auto grid = uniform_grid(7);
    auto end = integrate(be, ddrm{how, observation::from(be, seen.view())}, preserving, white(preserving, square), grid,
                         draw_start<double>(be, preserving, grid, square, {0, 3}, 3), 3);
    how.template apply<serial_backend, double>(be, end.x.view(), again.view());
    for (std::size_t i = 0; i < 48; ++i) CHECK_THAT(again.view()[i], WithinAbs(seen.view()[i % 16], 1e-14 * condition));
    // The images themselves differ where A does not see them.
    return std::abs(end.x.view()[1] - end.x.view()[17]);
  };
  CHECK(check(measurement{box_downsampling{}, level{1.0}}, 10) > 0.01);
  CHECK(check(measurement{first_element{}, level{}}, 10) > 0.01);
  CHECK(check(measurement{dct_blur{}, level{0.8}}, 100) < 1e-11);  // every mode is seen
}

TEST_CASE("DDRM takes the step of each case of its rule", "[sampler]") {
  // One step, first element measured with sigma_y, second not; x / a is the variable.
  const double t = 0.8, s = 0.5, eta = 0.6, eta_b = 0.9, y = 1.5;
  const auto exact = white(preserving, pair, 0.5);
  const double a_t = preserving.signal_gain(diffusion_time{t}), a_s = preserving.signal_gain(diffusion_time{s});
  const double before = preserving.sigma(diffusion_time{t}) / a_t, after = preserving.sigma(diffusion_time{s}) / a_s;
  const double gain = a_t * 0.5 / (a_t * a_t * 0.5 + std::pow(preserving.sigma(diffusion_time{t}), 2));
  const double h = gain * 0.4, other = gain * -1.1, kept = std::sqrt(1 - eta * eta);
  given_noise_backend be;
  be.noise = {0.3, -0.7};
  const auto step = [&](double sigma_y) {
    start_point<given_noise_backend, double> from{be.make<double>(pair), be.make<double>(pair), {0, 1}};
    from.x.view()[0] = 0.4;
    from.x.view()[1] = -1.1;
    auto end =
        integrate(be, ddrm{measurement{first_element{}, level{}, sigma_y}, observation{pair, {y, 0.0}}, eta, eta_b},
                  preserving, exact, time_grid{{t, s}}, std::move(from), 0);
    return std::pair{end.x.view()[0], end.x.view()[1]};
  };
  const double free = a_s * (other + kept * after / before * (-1.1 / a_t - other) + eta * after * -0.7);
  REQUIRE(after > 0.2);
  const auto sure = step(0.2);
  const double spread = std::sqrt(after * after - eta_b * eta_b * 0.04);
  CHECK_THAT(sure.first, WithinAbs(a_s * ((1 - eta_b) * h + eta_b * y + spread * 0.3), 1e-14));
  CHECK_THAT(sure.second, WithinAbs(free, 1e-14));
  REQUIRE(after < 2.0);
  const auto unsure = step(2.0);
  CHECK_THAT(unsure.first, WithinAbs(a_s * (h + kept * after * (y - h) / 2.0 + eta * after * 0.3), 1e-14));
  CHECK_THAT(unsure.second, WithinAbs(free, 1e-14));
}

TEST_CASE("with noise DDRM tends to the measurement itself as the steps grow", "[sampler]") {
  // N(0, 1) data, y = x_0 + n with sigma_y = .5, y = 2: the posterior is N(1.6, .2). Once sigma is below sigma_y a step
  // keeps h(x) and adds a part of y - h, so the more steps, the nearer to y, and the less spread.
  const measurement how{identity{}, level{}, 0.5};
  const observation y{one, {2.0}};
  const corruption exploding{identity{}, variance_exploding{.sigma_min = 0.01, .sigma_max = 20.0}};
  const double eta = 0.85;
  double last = 1;
  for (const std::size_t steps : {20u, 80u, 320u, 1280u}) {
    const auto grid = uniform_grid(steps);
    const gaussian_distribution found =
        distribution_after(ddrm{how, y, eta}, exploding, white(exploding, one), one, grid,
                           {Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Constant(1, 1, 401.0)});
    // The same by a recursion for mean and variance.
    double mean = 0, variance = 401;
    for (std::size_t i = 0; i < steps; ++i) {
      const double sigma_t = exploding.sigma(grid[i].t), sigma_s = grid[i].last() ? 0 : exploding.sigma(grid[i].s);
      const double gain = 1 / (1 + sigma_t * sigma_t);
      const double to_y = sigma_s >= 0.5 ? 1.0 : std::sqrt(1 - eta * eta) * sigma_s / 0.5;
      mean = (1 - to_y) * gain * mean + to_y * 2.0;
      variance = std::pow((1 - to_y) * gain, 2) * variance +
                 (sigma_s >= 0.5 ? sigma_s * sigma_s - 0.25 : eta * eta * sigma_s * sigma_s);
    }
    CAPTURE(steps, mean, variance);
    CHECK_THAT(found.mean[0], WithinAbs(mean, 1e-12));
    CHECK_THAT(found.covariance(0, 0), WithinAbs(variance, 1e-12));
    CHECK(std::abs(mean - 2.0) < last);
    last = std::abs(mean - 2.0);
    // The bias itself.
    if (steps == 20) {
      CHECK_THAT(mean - 1.6, WithinAbs(0.0457, 0.00005));
      CHECK_THAT(variance - 0.2, WithinAbs(-0.1518, 0.00005));
    }
    if (steps == 1280) {
      CHECK_THAT(mean - 1.6, WithinAbs(0.3710, 0.00005));
      CHECK_THAT(variance - 0.2, WithinAbs(-0.1956, 0.00005));
    }
  }
}

namespace {

// What a linear equation along B, the integral of the rate, carries mean and variance to: Runge-Kutta's method from
// `from` down to 0, dm/dB = -(slope m + constant), dv/dB = -(2 slope v + 1) with slope and constant functions of a =
// exp(-B/2).
struct moments {
  double mean, variance;
};
template <class Slope, class Constant>
moments carried(moments m, double from, Slope slope, Constant constant) {
  constexpr int steps = 4000;
  const double step = from / steps;
  const auto rate = [&](moments at, double b) {
    const double a = std::exp(-0.5 * b);
    return moments{slope(a) * at.mean + constant(a), 2 * slope(a) * at.variance + 1};
  };
  const auto moved = [](moments at, moments by, double how_far) {
    return moments{at.mean + how_far * by.mean, at.variance + how_far * by.variance};
  };
  for (int i = 0; i < steps; ++i) {
    const double b = from - i * step;
    const moments k1 = rate(m, b), k2 = rate(moved(m, k1, step / 2), b - step / 2);
    const moments k3 = rate(moved(m, k2, step / 2), b - step / 2), k4 = rate(moved(m, k3, step), b - step);
    m = {m.mean + step / 6 * (k1.mean + 2 * k2.mean + 2 * k3.mean + k4.mean),
         m.variance + step / 6 * (k1.variance + 2 * k2.variance + 2 * k3.variance + k4.variance)};
  }
  return m;
}

// The distribution at the end for infinitely many steps, from those for N and 2N: the error falls like 1/N.
template <class S, class D>
gaussian_distribution limit_of(const S& sampler, const D& exact, const shape& image, const gaussian_distribution& start,
                               std::size_t steps) {
  const auto distribution = [&](std::size_t n) {
    // Just before 0, where the last step would return the estimate.
    return distribution_after(sampler, preserving, exact, image, uniform_grid(n, 1.0, 1e-9), start);
  };
  const gaussian_distribution rough = distribution(steps), fine = distribution(2 * steps);
  return {2 * fine.mean - rough.mean, 2 * fine.covariance - rough.covariance};
}

// Of variance_preserving with rates .5 to 3.
constexpr double whole_rate = 0.5 + 0.5 * 2.5;

}  // namespace

TEST_CASE("DPS keeps a bias at any number of steps", "[sampler]") {
  // N(0, 1) data, y = x_0 + n with sigma_y = .5 and y = 2: the posterior is N(1.6, .2). With h = a x the reverse
  // equation is dx = [x/2 - x + a (y - a x) / sigma_y^2] dB + dw.
  const double noise = 0.25, y = 2.0;
  const measurement how{identity{}, level{}, 0.5};
  const gaussian_distribution start{Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Identity(1, 1)};
  const moments wanted = carried(
      {0.0, 1.0}, whole_rate, [&](double a) { return -0.5 - a * a / noise; }, [&](double a) { return a * y / noise; });
  const gaussian_distribution found =
      limit_of(dps{how, observation{one, {y}}, 1.0, dps_scale::likelihood}, white(preserving, one), one, start, 2048);
  // What the extrapolation leaves falls like 1/N^2; it is 1e-6 here.
  CHECK_THAT(found.mean[0], WithinAbs(wanted.mean, 1e-5));
  CHECK_THAT(found.covariance(0, 0), WithinAbs(wanted.variance, 1e-5));
  // The bias itself: too near the measurement, and too sure.
  CHECK_THAT(wanted.mean - 1.6, WithinAbs(0.3266, 0.00005));
  CHECK_THAT(wanted.variance - 0.2, WithinAbs(-0.0749, 0.00005));
}

TEST_CASE("RePaint keeps a bias at any number of steps", "[sampler]") {
  // Two elements of correlation .8, the first known to be 1: the second is N(.8, .36). RePaint draws the first afresh
  // in every step, so that in the limit the second feels only its mean a y: dx = [x/2 - (x - a^3 rho y) / (1 - a^4
  // rho^2)] dB + dw.
  const double correlation = 0.8, y = 1.0;
  Eigen::MatrixXd covariance(2, 2);
  covariance << 1, correlation, correlation, 1;
  const gaussian_denoiser exact{preserving, Eigen::VectorXd::Zero(2), covariance, pair};
  const measurement how{first_element{}, level{}};
  const observation seen{pair, {y, 0.0}};
  const gaussian_distribution start{Eigen::VectorXd::Zero(2), Eigen::MatrixXd::Identity(2, 2)};
  const auto left = [&](double a) { return 1 - a * a * a * a * correlation * correlation; };
  const moments wanted = carried(
      {0.0, 1.0}, whole_rate, [&](double a) { return 0.5 - 1 / left(a); },
      [&](double a) { return a * a * a * correlation * y / left(a); });
  const gaussian_distribution found = limit_of(repaint{how, seen, 1}, exact, pair, start, 2048);
  CHECK_THAT(found.mean[1], WithinAbs(wanted.mean, 1e-5));
  CHECK_THAT(found.covariance(1, 1), WithinAbs(wanted.variance, 1e-5));
  CHECK_THAT(found.mean[0], WithinAbs(y, 1e-8));
  // The bias itself: the second element hears too little of the first.
  CHECK_THAT(wanted.mean - 0.8, WithinAbs(-0.3074, 0.00005));
  CHECK_THAT(wanted.variance - 0.36, WithinAbs(0.1352, 0.00005));
}

TEST_CASE("projection takes a noisy measurement for the image, at any number of steps", "[sampler]") {
  // N(0, 1) data, y = x_0 + n with sigma_y = .5 and y = 2: the posterior is N(1.6, .2), but h' is y.
  const gaussian_distribution start{Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Identity(1, 1)};
  const projection method{measurement{identity{}, level{}, 0.5}, observation{one, {2.0}}};
  for (const std::size_t steps : {1u, 2u, 20u, 300u}) {
    const gaussian_distribution found =
        distribution_after(method, preserving, white(preserving, one), one, uniform_grid(steps), start);
    CHECK_THAT(found.mean[0], WithinAbs(2.0, 1e-14));
    CHECK_THAT(found.covariance(0, 0), WithinAbs(0.0, 1e-14));
  }
}

TEST_CASE("projection keeps a bias where it knows a part exactly", "[sampler]") {
  // RePaint's problem: correlation .8, the first element known to be y = 1, the second is N(.8, .36). With h' = (y,
  // h_2) and DDIM's step the first element is a y + sigma xi at any number of steps, xi = (x_1 - a y) / sigma at the
  // start. The second follows dx = [x - (x - rho a^2 (a y + sigma xi)) / (1 - rho^2 a^4)] / 2 dB, linear in y, xi and
  // where it starts. In u = sqrt(B) all of it is smooth, and Runge-Kutta's method in 2000 steps leaves 1e-12.
  const double correlation = 0.8, y = 1.0;
  Eigen::MatrixXd covariance(2, 2);
  covariance << 1, correlation, correlation, 1;
  const gaussian_denoiser exact{preserving, Eigen::VectorXd::Zero(2), covariance, pair};
  const auto rate = [&](double u, const Eigen::Vector3d& x) -> Eigen::Vector3d {
    const double a = std::exp(-0.5 * u * u), sigma = std::sqrt(-std::expm1(-u * u));
    const double share = 1 / (1 - std::pow(correlation * a * a, 2));
    return u * (x - share * (x - correlation * a * a * Eigen::Vector3d{a * y, sigma, 0.0}));
  };
  Eigen::Vector3d x{0, 0, 1};  // what stands before 1, xi and the start of the second element
  constexpr int steps = 2000;
  const double whole = std::sqrt(whole_rate), step = whole / steps;
  for (int i = 0; i < steps; ++i) {
    const double u = whole - i * step;
    const Eigen::Vector3d k1 = rate(u, x), k2 = rate(u - step / 2, x + step / 2 * k1);
    const Eigen::Vector3d k3 = rate(u - step / 2, x + step / 2 * k2), k4 = rate(u - step, x + step * k3);
    x += step / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
  }
  // The start is N(0, I).
  const double a = std::exp(-0.5 * whole_rate), sigma = std::sqrt(-std::expm1(-whole_rate));
  const moments wanted{x[0] - x[1] * a * y / sigma, x[1] * x[1] / (sigma * sigma) + x[2] * x[2]};
  const gaussian_distribution start{Eigen::VectorXd::Zero(2), Eigen::MatrixXd::Identity(2, 2)};
  const gaussian_distribution found = limit_of(
      projection{measurement{first_element{}, level{}}, observation{pair, {y, 0.0}}}, exact, pair, start, 2048);
  // DDIM steps in sigma, which goes like the square root of t at the end, so what the extrapolation leaves falls like
  // N^(-3/2): 3e-5 and 8e-5 measured.
  CHECK_THAT(found.mean[1], WithinAbs(wanted.mean, 1e-4));
  CHECK_THAT(found.covariance(1, 1), WithinAbs(wanted.variance, 2e-4));
  // The grid ends at B = 5e-10, where sigma xi is 2e-5 times xi, which is below 1.
  CHECK_THAT(found.mean[0], WithinAbs(y, 3e-5));
  // The bias itself: the second element hears of the first through its noise alone, which never changes.
  CHECK_THAT(wanted.mean - 0.8, WithinAbs(-0.5677, 0.00005));
  CHECK_THAT(wanted.variance - 0.36, WithinAbs(0.3028, 0.00005));
}

TEST_CASE("DiffPIR tends to a variance of its own", "[sampler]") {
  // N(0, 1) data, y = x_0 + n with sigma_y = .5, y = 2: the posterior is N(1.6, .2). A step is x_s = M x_t + K + n z
  // with M = c + (a_s - c a_t) rho a_t / (1 + rho), K = (a_s - c a_t) y / (1 + rho), c = sqrt(1 - zeta) sigma_s /
  // sigma_t, n^2 = zeta sigma_s^2.
  const double noise = 0.25, y = 2.0;
  const gaussian_distribution start{Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Identity(1, 1)};
  const auto exact = white(preserving, one);
  const auto distribution = [&](double lambda, double zeta, const time_grid& grid) {
    const diffpir method{measurement{identity{}, level{}, 0.5}, observation{one, {y}}, lambda, zeta};
    const gaussian_distribution found = distribution_after(method, preserving, exact, one, grid, start);
    return moments{found.mean[0], found.covariance(0, 0)};
  };
  const auto recursion = [&](double lambda, double zeta, const time_grid& grid) {
    moments at{0, 1};
    for (std::size_t i = 0; i < grid.steps(); ++i) {
      const double a_t = preserving.signal_gain(grid[i].t), a_s = preserving.signal_gain(grid[i].s);
      const double sigma_t = preserving.sigma(grid[i].t), sigma_s = preserving.sigma(grid[i].s);
      const double rho = lambda * noise * a_t * a_t / (sigma_t * sigma_t), c = std::sqrt(1 - zeta) * sigma_s / sigma_t;
      const double m = c + (a_s - c * a_t) * rho * a_t / (1 + rho), k = (a_s - c * a_t) * y / (1 + rho);
      at = {m * at.mean + k, m * m * at.variance + zeta * sigma_s * sigma_s};
    }
    return at;
  };
  // Where sigma is large the distribution is that which a step from t to t leaves alone: 1 - M = (1 - sqrt(1 - zeta))
  // (1 + rho sigma^2) / (1 + rho), mean a y / (1 + rho sigma^2) and variance zeta sigma^2 / (1 - M^2).
  const double last = 0.2;
  for (const auto& [lambda, zeta] : {std::pair{1.0, 0.3}, {1.0, 1.0}, {2.5, 0.5}}) {
    const double a = preserving.signal_gain(diffusion_time{last}), sigma = preserving.sigma(diffusion_time{last});
    const double rho = lambda * noise * a * a / (sigma * sigma);
    const double m = 1 - (1 - std::sqrt(1 - zeta)) * (1 + rho * sigma * sigma) / (1 + rho);
    const moments rough = distribution(lambda, zeta, uniform_grid(2048, 1.0, last)),
                  fine = distribution(lambda, zeta, uniform_grid(4096, 1.0, last));
    CAPTURE(lambda, zeta);
    // What the extrapolation leaves falls like 1/N^2.
    CHECK_THAT(2 * fine.mean - rough.mean, WithinAbs(a * y / (1 + rho * sigma * sigma), 1e-4));
    CHECK_THAT(2 * fine.variance - rough.variance, WithinAbs(zeta * sigma * sigma / (1 - m * m), 1e-4));
  }
  // As sigma goes to 0 these go to y / (1 + lambda sigma_y^2) and zeta / (2 (1 - sqrt(1 - zeta))) times lambda
  // sigma_y^2 / (1 + lambda sigma_y^2), while a step forgets less and less: the distribution is left behind where B is
  // of size 1 / sqrt(N), so that its error halves with four times the steps.
  const double lambda = 1.0, zeta = 0.3, share = lambda * noise / (1 + lambda * noise);
  const moments limit{y / (1 + lambda * noise), zeta / (2 * (1 - std::sqrt(1 - zeta))) * share};
  CHECK_THAT(limit.mean, WithinAbs(1.6, 1e-15));
  CHECK_THAT(limit.variance - 0.2, WithinAbs(-0.0163, 0.00005));
  moments before{};
  for (const std::size_t steps : {20u, 1280u, 5120u, 20480u}) {
    const auto grid = uniform_grid(steps, 1.0, 1e-9);
    const moments found = distribution(lambda, zeta, grid), wanted = recursion(lambda, zeta, grid);
    CAPTURE(steps, found.mean, found.variance);
    // A rounding a step, which later ones shrink.
    CHECK_THAT(found.mean, WithinAbs(wanted.mean, 1e-12));
    CHECK_THAT(found.variance, WithinAbs(wanted.variance, 1e-12));
    if (steps == 20) {
      CHECK_THAT(found.mean - 1.6, WithinAbs(0.0632, 0.00005));
      CHECK_THAT(found.variance - 0.2, WithinAbs(-0.0719, 0.00005));
    }
    if (steps > 1280) {
      CHECK_THAT((before.mean - limit.mean) / (found.mean - limit.mean), WithinAbs(2.0, 0.2));
      CHECK_THAT((before.variance - limit.variance) / (found.variance - limit.variance), WithinAbs(2.0, 0.2));
    }
    before = found;
  }
}

namespace {

// The distribution of one element that starts as N(0, 1), by quadrature: its density on a lattice is carried through
// the step x_s = m(x_t) + n z that the sampler makes, m measured on the lattice itself, however crooked. The last step
// has no noise.
template <class S>
moments distribution_by_quadrature(const S& sampler, std::size_t steps, std::size_t points) {
  const double far = 8.0, pitch = 2 * far / static_cast<double>(points - 1);
  const auto exact = white(preserving, one);
  const auto grid = uniform_grid(steps);
  const auto at = [&](std::size_t i) { return -far + pitch * static_cast<double>(i); };
  std::vector<double> density(points), next(points), to(points);
  for (std::size_t i = 0; i < points; ++i)
    density[i] = std::exp(-0.5 * at(i) * at(i)) / std::sqrt(2 * std::numbers::pi);
  for (std::size_t k = 0; k < steps; ++k) {
    given_noise_backend be;
    be.noise.assign(points + 1, 0.0);
    be.noise[points] = 1.0;  // one image more, to see what the noise does
    const shape many = one.with_images(points + 1);
    start_point<given_noise_backend, double> from{be.make<double>(many), be.make<double>(many), {0, points + 1}};
    for (std::size_t i = 0; i < points; ++i) from.x.view()[i] = at(i);
    from.x.view()[points] = at(0);
    const auto end =
        integrate(be, sampler, preserving, exact, time_grid{{grid[k].t.value, grid[k].s.value}}, std::move(from), 0);
    for (std::size_t i = 0; i < points; ++i) to[i] = end.x.view()[i];
    if (grid[k].last()) break;
    const double spread = end.x.view()[points] - to[0];
    std::fill(next.begin(), next.end(), 0.0);
    for (std::size_t i = 0; i < points; ++i) {
      const double weight = density[i] * pitch / (spread * std::sqrt(2 * std::numbers::pi));
      // Beyond ten deviations nothing arrives.
      const auto nearest = [&](double x) {
        return static_cast<std::size_t>(std::clamp((x + far) / pitch, 0.0, static_cast<double>(points)));
      };
      const std::size_t first = nearest(to[i] - 10 * spread), last = nearest(to[i] + 10 * spread);
      for (std::size_t j = first; j < last; ++j) {
        const double away = (at(j) - to[i]) / spread;
        next[j] += weight * std::exp(-0.5 * away * away);
      }
    }
    density.swap(next);
  }
  double whole = 0, mean = 0, square = 0;
  for (std::size_t i = 0; i < points; ++i) {
    whole += density[i] * pitch;
    mean += density[i] * to[i] * pitch;
    square += density[i] * to[i] * to[i] * pitch;
  }
  // Nothing was lost on the way.
  CHECK_THAT(whole, WithinAbs(1.0, 1e-10));
  return {mean, square - mean * mean};
}

}  // namespace

TEST_CASE("DPS scaled by the distance ends on either side of the measurement itself", "[sampler]") {
  // The form of its authors, zeta over |y - A h|, is not linear: in one dimension every step moves x by 2 zeta J = 2
  // zeta a_t towards the measurement, however short it is, so that the pull grows with the number of steps. In the end
  // x jumps to and fro over y, by 2 zeta: anywhere in y +- 2 zeta, whose variance is 4 zeta^2 / 3, as long as the
  // distribution before is wide beside that. N(0, 1) data, y = 2, sigma_y = .5: the posterior is N(1.6, .2).
  const measurement how{identity{}, level{}, 0.5};
  const observation y{one, {2.0}};
  constexpr std::size_t points = 2001;
  // The quadrature finds the distribution of the linear form, whose distribution is known without one.
  const dps linear{how, y, 1.0, dps_scale::likelihood};
  const gaussian_distribution known =
      distribution_after(linear, preserving, white(preserving, one), one, uniform_grid(20),
                         {Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Identity(1, 1)});
  const moments same = distribution_by_quadrature(linear, 20, points);
  CHECK_THAT(same.mean, WithinAbs(known.mean[0], 1e-10));
  CHECK_THAT(same.variance, WithinAbs(known.covariance(0, 0), 1e-10));
  // What lies within a pitch of the jump may land 4 zeta off. Where the density is 1 / (4 zeta) that moves the mean by
  // a pitch, .008, and the variance by pitch times zeta.
  const double zeta = 0.1, pitch = 0.008;
  const moments few = distribution_by_quadrature(dps{how, y, zeta}, 20, points),
                many = distribution_by_quadrature(dps{how, y, zeta}, 80, points);
  CHECK_THAT(few.mean - 1.6, WithinAbs(0.148, pitch));
  CHECK_THAT(few.variance - 0.2, WithinAbs(0.034, pitch * zeta));
  CHECK_THAT(many.mean, WithinAbs(2.0, pitch));
  CHECK_THAT(many.variance, WithinAbs(4 * zeta * zeta / 3, pitch * zeta));
}

TEST_CASE("more rounds of RePaint leave less of its bias", "[sampler]") {
  // The problem of the case before in 48 steps, without sampling error.
  Eigen::MatrixXd covariance(2, 2);
  covariance << 1, 0.8, 0.8, 1;
  const gaussian_denoiser exact{preserving, Eigen::VectorXd::Zero(2), covariance, pair};
  const auto second = [&](unsigned rounds) {
    const gaussian_distribution found = distribution_of_run(
        repaint{measurement{first_element{}, level{}}, observation{pair, {1.0, 0.0}}, rounds}, preserving, exact, pair,
        uniform_grid(48, 1.0, 1e-9), {Eigen::VectorXd::Zero(2), Eigen::MatrixXd::Identity(2, 2)}, 3 * rounds);
    return moments{found.mean[1] - 0.8, found.covariance(1, 1) - 0.36};
  };
  moments last{-1.0, 1.0};
  for (const unsigned rounds : {1u, 2u, 5u, 10u}) {
    const moments bias = second(rounds);
    CAPTURE(rounds, bias.mean, bias.variance);
    CHECK(std::abs(bias.mean) < std::abs(last.mean));
    CHECK(std::abs(bias.variance) < std::abs(last.variance));
    last = bias;
  }
  CHECK_THAT(last.mean, WithinAbs(-0.0371, 0.00005));
  CHECK_THAT(last.variance, WithinAbs(0.0205, 0.00005));
}

TEST_CASE("a second round of RePaint draws what its formula says", "[sampler]") {
  // One step of two rounds by hand, with the run's own noise.
  serial_backend be;
  const auto exact = white(preserving, pair, 0.5);
  const measurement how{first_element{}, level{}};
  const double t = 0.8, s = 0.5, y = 1.5;
  const auto& c = preserving;
  const double a_t = c.signal_gain(diffusion_time{t}), a_s = c.signal_gain(diffusion_time{s}),
               sigma_t = c.sigma(diffusion_time{t}), sigma_s = c.sigma(diffusion_time{s});
  const double alpha = a_t * a_t / (a_s * a_s), gain = a_t * 0.5 / (a_t * a_t * 0.5 + sigma_t * sigma_t);
  const auto noise = [&](std::uint8_t draw) {
    auto z = be.make<double>(pair);
    be.normal(noise_key{7, noise_stream::sampling, 0, draw}, {0, 1}, z.view());
    return std::pair{z.view()[0], z.view()[1]};
  };
  start_point<serial_backend, double> from{be.make<double>(pair), be.make<double>(pair), {0, 1}};
  from.x.view()[0] = 0.4;
  from.x.view()[1] = -1.1;
  double first = 0.4, second = -1.1;
  for (std::uint8_t round = 0; round < 2; ++round) {
    if (round > 0) {
      const auto back = noise(2);
      first = std::sqrt(alpha) * first + std::sqrt(1 - alpha) * back.first;
      second = std::sqrt(alpha) * second + std::sqrt(1 - alpha) * back.second;
    }
    const auto of_step = noise(static_cast<std::uint8_t>(3 * round)),
               of_seen = noise(static_cast<std::uint8_t>(3 * round + 1));
    // DDPM in x_0 form: mean (a_s (1 - alpha) h + sqrt(alpha) sigma_s^2 x) / sigma_t^2, variance 1 - alpha.
    const double h = gain * second;
    second = (a_s * (1 - alpha) * h + std::sqrt(alpha) * sigma_s * sigma_s * second) / (sigma_t * sigma_t) +
             std::sqrt(1 - alpha) * of_step.second;
    first = a_s * y + sigma_s * of_seen.first;
  }
  const auto end =
      integrate(be, repaint{how, observation{pair, {y, 0.0}}, 2}, c, exact, time_grid{{t, s}}, std::move(from), 7);
  CHECK(end.nfe == 2);
  CHECK_THAT(end.x.view()[0], WithinAbs(first, 1e-14));
  CHECK_THAT(end.x.view()[1], WithinAbs(second, 1e-14));
}

namespace {

const observation many{shape{6, 1, 2, 2}, [] {
                         std::vector<double> values(24);
                         for (std::size_t i = 0; i < 24; ++i) values[i] = std::sin(1.0 + static_cast<double>(i));
                         return values;
                       }()};
const measurement<gaussian_blur> blurred{gaussian_blur{.half_width = 2}, level{0.8}, 0.3};

template <class Check>
void for_every_method(const Check& check) {
  check(projection{blurred, many});
  check(ddrm{blurred, many});
  check(diffpir{blurred, many});
  check(pigdm{blurred, many});
  check(dps{blurred, many});
  check(dps{blurred, many, 0.5, dps_scale::likelihood, momentum{}});
  check(repaint{measurement{first_element{}, level{}}, many, 3});
}

}  // namespace

TEST_CASE("an image of an inverse problem does not depend on its batch", "[sampler]") {
  serial_backend be;
  for_every_method([&](const auto& sampler) {
    const auto grid = uniform_grid(5);
    const auto draw = [&](image_range images) {
      return integrate(be, sampler, preserving, steady_denoiser{}, grid,
                       draw_start<float>(be, preserving, grid, four, images, 3), 3);
    };
    const auto all = draw({0, 6}), rest = draw({4, 2});
    for (std::size_t i = 0; i < 8; ++i) CHECK(all.x.view()[16 + i] == rest.x.view()[i]);
    CHECK_REFUSED(draw({5, 2}), "number of the image is 6, but it must be below the number of observed images");
  });
}

TEST_CASE("one method serves four threads with the same bits", "[sampler]") {
  for_every_method([&](const auto& sampler) {
    const auto grid = uniform_grid(6);
    const auto draw = [&] {
      serial_backend be;
      auto end = integrate(be, sampler, preserving, steady_denoiser{}, grid,
                           draw_start<float>(be, preserving, grid, four, {0, 6}, 3), 3);
      std::vector<float> values(end.x.view().size());
      be.download(end.x.view(), values.data());
      return values;
    };
    const auto alone = draw();
    std::vector<std::vector<float>> each(4);
    std::vector<std::thread> threads;
    for (auto& values : each) threads.emplace_back([&] { values = draw(); });
    for (auto& thread : threads) thread.join();
    for (const auto& values : each) CHECK((values == alone));
  });
}

TEST_CASE("methods for inverse problems take nothing from the heap after the first step", "[sampler]") {
  serial_backend be;
  for_every_method([&](const auto& sampler) {
    const auto grid = uniform_grid(8);
    std::vector<std::size_t> taken;
    taken.reserve(16);
    const auto end = integrate(be, sampler, preserving, steady_denoiser{}, grid,
                               draw_start<float>(be, preserving, grid, four, {0, 6}, 3), 3,
                               [&](const auto&) { taken.push_back(heap::taken.load()); });
    REQUIRE(taken.size() == 8);
    CHECK(taken.back() == taken[1]);
    CHECK((end.nfe == 8 || end.nfe == 3 * 7 + 1));
  });
}

TEST_CASE("methods for inverse problems refuse what cannot be", "[sampler]") {
  const observation y{pair, {1.0, 2.0}};
  CHECK_REFUSED((repaint{blurred, many, 0}), "rounds is 0, but it must be between 1 and 85");
  CHECK_REFUSED((dps{blurred, many, -1.0}), "zeta is -1, but it must be at least 0");
  CHECK_REFUSED((dps{measurement{identity{}, level{}}, y, 1.0, dps_scale::likelihood}),
                "sigma of the measurement is 0, but it must be above 0 where the likelihood scales the step");
  CHECK_REFUSED((pigdm{blurred, many, 0.0}), "data_variance is 0, but it must be above 0");
  CHECK_REFUSED((ddrm{blurred, many, 2.0}), "eta is 2, but it must be between 0 and 1");
  CHECK_REFUSED((diffpir{blurred, many, 1.0, 1.5}), "zeta is 1.5, but it must be between 0 and 1");
  serial_backend be;
  const auto grid = uniform_grid(3);
  const auto draw = [&](const auto& sampler) {
    integrate(be, sampler, preserving, steady_denoiser{}, grid,
              draw_start<double>(be, preserving, grid, four, {0, 2}, 3), 3);
  };
  CHECK_REFUSED(draw(repaint{blurred, many}), "but it must be 0: RePaint takes A for a projection");
  CHECK_REFUSED(draw(projection{measurement{identity{}, level{}}, y}),
                "extent of the observation is 1 x 1 x 1 x 2, but it must be that of the images");
}
