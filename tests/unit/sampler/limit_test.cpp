// Samplers that keep no marginal, on Gaussian data with the exact denoiser: the distribution that they tend to as the
// steps grow in number, own derivation, pinned here. The samplers are those of Daras et al. 2022 and Bansal et al.
// 2022.
//
// A step with fresh noise of a fixed size, x_s = M x_t + (...) + n z, forgets: as the steps shrink, the distribution at
// time t tends to the one that a step from t to t leaves alone, V = M V M^T + n^2 I with M = C J + c (I - C J), h = m +
// J (x - C m). For one element, data variance 1 and C = 1: M = (1 + c sigma^2) / (1 + sigma^2) and V = n^2 / (1 - M^2).
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/diagonal.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/probability_flow.hpp>

#include "affine_step.hpp"

using namespace softscore;

namespace {

const shape one{1, 1, 1, 1}, six{1, 1, 2, 3};

Eigen::MatrixXd data_covariance() {
  Eigen::MatrixXd root(6, 6);
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 6; ++j) root(i, j) = std::sin(1.0 + 2.0 * i + 5.0 * j + 0.7 * i * j);
  Eigen::MatrixXd covariance = 0.25 * root * root.transpose();
  covariance.diagonal().array() += 0.3;
  return covariance;
}

template <class D>
gaussian_distribution marginal(const D& exact, double t) {
  const auto [mean, covariance] = exact.marginal(diffusion_time{t});
  return {mean, covariance};
}

// The fixed point of V = M V M^T + n^2 I, by doubling the number of steps it stands for.
Eigen::MatrixXd standing_covariance(Eigen::MatrixXd m, double n) {
  Eigen::MatrixXd v = n * n * Eigen::MatrixXd::Identity(m.rows(), m.cols());
  for (int i = 0; i < 40; ++i) {
    v += m * v * m.transpose();
    m = (m * m).eval();
  }
  return v;
}

// The distribution at `last` for infinitely many steps, from those for N and 2N: the error falls like 1/N. The default
// end is just before 0, where the last step would return h.
template <class S, class C, class D>
Eigen::MatrixXd extrapolated_covariance(const S& sampler, const C& corruption, const D& exact, shape image,
                                        std::size_t steps, double last = 1e-12) {
  const auto covariance = [&](std::size_t n) {
    return distribution_after(sampler, corruption, exact, image, uniform_grid(n, 1.0, last), marginal(exact, 1.0))
        .covariance;
  };
  return 2 * covariance(2 * steps) - covariance(steps);
}

}  // namespace

TEST_CASE("naive sampling tends to half the variance, not to the data", "[sampler]") {
  // S = 1, sigma from 10 to .05; V - (1 + sigma^2) = -(1 + sigma^2) / (2 + sigma^2).
  const corruption exploding{identity{}, variance_exploding{.sigma_min = 0.05, .sigma_max = 10.0}};
  const gaussian_denoiser exact{exploding, Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Identity(1, 1), one};
  const double variance = 0.0025, limit = -(1 + variance) / (2 + variance);
  CHECK_THAT(limit, Catch::Matchers::WithinAbs(-0.50, 0.005));  // the reference value
  const double found = extrapolated_covariance(naive{}, exploding, exact, one, 4096)(0, 0) - (1 + variance);
  // What the extrapolation leaves falls like 1/N^2: 1e-7 measured here, 6.5e-9 with four times the steps.
  CHECK_THAT(found, Catch::Matchers::WithinAbs(limit, 1e-6));
}

TEST_CASE("a fixed k tends to less than the data's variance", "[sampler]") {
  // S = 1, sigma down to .05 and k half of it there. The limit is that of the end alone; a shorter way to it needs
  // fewer steps, for one step forgets but 7e-4 of the past.
  const corruption exploding{identity{}, variance_exploding{.sigma_min = 0.05, .sigma_max = 0.06}};
  const gaussian_denoiser exact{exploding, Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Identity(1, 1), one};
  const double variance = 0.0025, k = 0.025, c = std::sqrt(0.75), m = (1 + c * variance) / (1 + variance);
  const double limit = k * k / (1 - m * m) - (1 + variance);
  CHECK_THAT(limit, Catch::Matchers::WithinAbs(-0.067, 0.0005));  // the reference value
  const double found = extrapolated_covariance(soft_ddim{k}, exploding, exact, one, 16384)(0, 0) - (1 + variance);
  // The start is forgotten to e^-11; what the extrapolation leaves, 4e-5 measured, falls like 1/N^2.
  CHECK_THAT(found, Catch::Matchers::WithinAbs(limit, 1e-4));
}

TEST_CASE("under a blur, fresh noise of a fixed size leads to its own fixed point", "[sampler]") {
  const corruption blurring{gaussian_blur{.half_width = 3},
                            variance_exploding{.sigma_min = 0.5, .sigma_max = 1.0, .level_max = 1.0}};
  const gaussian_denoiser exact{blurring, Eigen::VectorXd::Zero(6), data_covariance(), six};
  // The end is at time 0.2, where the blur is not the identity.
  const double last = 0.2, sigma = blurring.sigma(diffusion_time{last});
  const Eigen::MatrixXd signal = exact.signal_matrix(diffusion_time{last});
  const Eigen::MatrixXd clean = signal * exact.gain_matrix(diffusion_time{last});
  const auto check = [&](const auto& sampler, double c, double n) {
    const Eigen::MatrixXd m = clean + c * (Eigen::MatrixXd::Identity(6, 6) - clean);
    const Eigen::MatrixXd limit = standing_covariance(m, n);
    const Eigen::MatrixXd found = extrapolated_covariance(sampler, blurring, exact, six, 512, last);
    // What the extrapolation leaves falls like 1/N^2: 5e-7 and 1.1e-4 measured here.
    CHECK((found - limit).cwiseAbs().maxCoeff() < 5e-4);
    CHECK((marginal(exact, last).covariance - limit).cwiseAbs().maxCoeff() > 0.1);
  };
  check(naive{}, 0.0, sigma);
  const double k = 0.4;
  check(soft_ddim{k}, std::sqrt(1 - k * k / (sigma * sigma)), k);
}

TEST_CASE("where a mask lifts, the revealed pixels lack what x_t does not tell, at every number of steps",
          "[sampler]") {
  // Correlation .5, sigma .1. One pixel of four is seen; of another, 1 - .25 / (1 + .01) of the variance is unknown.
  const corruption masking{centered_mask{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 0.1, .level_max = 2.0}};
  const shape four{1, 1, 2, 2};
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Constant(4, 4, 0.5);
  covariance.diagonal().setOnes();
  const gaussian_denoiser exact{masking, Eigen::VectorXd::Zero(4), covariance, four};
  // The level is 2 t: one pixel is kept from time .75 to .25 on, all below. Where nothing changes the distribution
  // stands still, so it is that of the one jump: x_s = x_t + (C_s - C_t) h.
  const Eigen::MatrixXd lifted = exact.signal_matrix(diffusion_time{0.1}) - exact.signal_matrix(diffusion_time{0.5});
  REQUIRE(lifted.trace() == 3.0);
  const Eigen::MatrixXd jump = Eigen::MatrixXd::Identity(4, 4) + lifted * exact.gain_matrix(diffusion_time{0.5});
  const Eigen::MatrixXd limit = jump * marginal(exact, 0.5).covariance * jump.transpose();
  const Eigen::MatrixXd gap = marginal(exact, 0.1).covariance - limit;
  CHECK_THAT(gap.maxCoeff(), Catch::Matchers::WithinAbs(0.752, 0.0005));  // the reference value
  CHECK_THAT(gap.maxCoeff(), Catch::Matchers::WithinAbs(1 - 0.25 / 1.01, 1e-14));
  for (const std::size_t steps : {2u, 7u, 64u, 301u}) {
    const auto check = [&](const auto& sampler) {
      const auto found =
          distribution_after(sampler, masking, exact, four, uniform_grid(steps, 0.5, 0.1), marginal(exact, 0.5))
              .covariance;
      // Rounding: as many steps as that on numbers of size 1.
      CHECK((found - limit).cwiseAbs().maxCoeff() < 1e-13);
    };
    check(momentum{});
    check(probability_flow{});
    check(ddim{});
    check(cold{});
  }
}

namespace {

// C = (1 - w) I: as images give way to a background.
struct give_way {};

// The exact denoiser of x_t = (1 - t) x_0 + t b with x_0 and b standard normal, that does not know b.
struct unaware_denoiser {
  static constexpr int evaluations = 1;
  struct nothing {};

  template <Scalar T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void estimate(Be& be, const condition& q, view<const T, Space> x, view<T, Space> out, nothing&) const {
    const double t = q.times[0].value, rest = 1 - t;
    be.combine(out, term<T, Space>{rest / (rest * rest + t * t), x});
  }
};

}  // namespace

template <>
struct softscore::degradation<give_way> : softscore::diagonal<softscore::degradation<give_way>> {
  static double entry(const give_way&, level w, const shape&, pixel) { return 1 - w.value; }
};

TEST_CASE("cold sampling with an estimate that is a mean tends to a quarter of the variance", "[sampler]") {
  // Variances 1. The background b is known to the sampler and x_1 = b. In the limit x_t = y(t) b with y' = 1 - g y,
  // y(1) = 1, g = (1 - t) / ((1 - t)^2 + t^2). With I the integral of g from 0, y(0) = e^I(1) - integral_0^1 e^I and
  // I(t) = (atan(2 t - 1) + pi / 4) / 2 - log((1 - t)^2 + t^2) / 4.
  const auto exponential = [](double t) {
    const double integral = 0.5 * (std::atan(2 * t - 1) + 0.25 * M_PI) - 0.25 * std::log((1 - t) * (1 - t) + t * t);
    return std::exp(integral);
  };
  // Simpson's rule with a thousand intervals: its error is below 1e-12 for so smooth a function.
  double area = 0;
  for (int i = 0; i < 1000; ++i)
    area += (exponential(i / 1000.0) + 4 * exponential((i + 0.5) / 1000.0) + exponential((i + 1) / 1000.0)) / 6000.0;
  const double end = exponential(1.0) - area;
  CHECK_THAT(end * end, Catch::Matchers::WithinAbs(0.243, 0.0005));  // the reference value

  const background_corruption fading{give_way{}, severity{1.0}, 0.0, 1.0};
  const auto drawn = [&](std::size_t steps) {
    given_noise_backend be;
    be.noise = {1.0};
    const auto grid = uniform_grid(steps);
    auto from = draw_start<double>(be, fading, grid, one, {0, 1}, 1);
    REQUIRE(from.x.view()[0] == 1.0);
    REQUIRE(from.xi.view()[0] == 1.0);
    return integrate(be, cold{}, fading, unaware_denoiser{}, grid, std::move(from), 1).x.view()[0];
  };
  const double coarse = drawn(500), fine = drawn(1000);
  // Order 1: the error halves, and what extrapolation leaves is of order 1/N^2, 3.3e-7 measured.
  CHECK_THAT((coarse - end) / (fine - end), Catch::Matchers::WithinRel(2.0, 0.1));
  CHECK_THAT(2 * fine - coarse, Catch::Matchers::WithinAbs(end, 2e-6));
}

namespace {

// D(x, t) = x + t u, with u as the background.
struct adding : background_corruption<identity, severity> {
  using background_corruption::background_corruption;
  template <class Be, Scalar T>
  void corrupt(Be& be, per_image<diffusion_time> times, in_of<Be, T> clean, in_of<Be, T> u, out_of<Be, T> out) const {
    be.combine(out, term_of<Be, T>{1.0, clean}, term_of<Be, T>{times[0].value, u});
  }
};

}  // namespace

TEST_CASE("where D(x, t) = x + t u cold sampling is exact with any restorer, and the naive step is not", "[sampler]") {
  const adding rising{identity{}, severity{1.0}};
  const double clean = 0.7, u = -1.9, last = 0.1;
  const auto grid = uniform_grid(9, 1.0, last);
  given_noise_backend be;
  start_point<given_noise_backend, double> from{be.make<double>(one), be.make<double>(one), {0, 1}};
  from.x.view()[0] = clean + u;
  from.xi.view()[0] = u;
  const auto end = integrate(be, cold{}, rising, unaware_denoiser{}, grid, std::move(from), 0);
  // Nine steps of four roundings of numbers below 4.
  CHECK_THAT(end.x.view()[0], Catch::Matchers::WithinAbs(clean + last * u, 9 * 4 * 4 * 1.2e-16));
  // D(h, s) with the same restorer, and cold's step with another u for every call of D.
  double naively = clean + u, redrawn = clean + u;
  for (std::size_t i = 0; i < grid.steps(); ++i) {
    const double t = grid[i].t.value, s = grid[i].s.value, rest = 1 - t;
    naively = rest / (rest * rest + t * t) * naively + s * u;
    const auto fresh = [&](std::size_t call) { return u * std::cos(static_cast<double>(2 * i + call)); };
    redrawn += s * fresh(1) - t * fresh(0);
  }
  CHECK(std::abs(naively - (clean + last * u)) > 0.1);
  CHECK(std::abs(redrawn - (clean + last * u)) > 0.1);
}

TEST_CASE("cold sampling of a noisy corruption keeps the first noise", "[sampler]") {
  // The limit of x_s = x_t + (C_s - C_t) h is dx = C' h(x, t) dt. For a fade C' is the same at every time, -m on the
  // diagonal, so that X' = C' J X, X(1) = I, gives the distribution V = X V_1 X^T; here by the classical Runge-Kutta
  // method in 200 steps, whose error, of fourth order, is below 1e-9.
  const corruption faded{fade{}, variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.0}};
  const gaussian_denoiser exact{faded, Eigen::VectorXd::Zero(6), data_covariance(), six};
  const double last = 0.1;
  const Eigen::MatrixXd slope = exact.signal_matrix(diffusion_time{1.0}) - exact.signal_matrix(diffusion_time{0.0});
  const auto rate = [&](double t) -> Eigen::MatrixXd { return slope * exact.gain_matrix(diffusion_time{t}); };
  const auto flow = [&](int steps) {
    Eigen::MatrixXd x = Eigen::MatrixXd::Identity(6, 6);
    const double dt = (last - 1.0) / steps;
    for (int i = 0; i < steps; ++i) {
      const double t = 1.0 + i * dt;
      const Eigen::MatrixXd middle = rate(t + 0.5 * dt);
      const Eigen::MatrixXd a = rate(t) * x, b = middle * (x + 0.5 * dt * a), c = middle * (x + 0.5 * dt * b);
      const Eigen::MatrixXd d = rate(t + dt) * (x + dt * c);
      x += dt / 6 * (a + 2 * b + 2 * c + d);
    }
    return x;
  };
  const Eigen::MatrixXd x = flow(200);
  CHECK((x - flow(400)).cwiseAbs().maxCoeff() < 1e-9);
  const Eigen::MatrixXd limit = x * marginal(exact, 1.0).covariance * x.transpose();
  const auto error = [&](std::size_t steps) {
    return (distribution_after(cold{}, faded, exact, six, uniform_grid(steps, 1.0, last), marginal(exact, 1.0))
                .covariance -
            limit)
        .cwiseAbs()
        .maxCoeff();
  };
  double before = error(64);
  for (const std::size_t steps : {128u, 256u, 512u}) {
    const double now = error(steps);
    CHECK_THAT(std::log2(before / now), Catch::Matchers::WithinRel(1.0, 0.1));
    before = now;
  }
  // What it does not reach is the marginal, whose noise is smaller.
  CHECK((marginal(exact, last).covariance - limit).cwiseAbs().maxCoeff() > 0.1);
}
