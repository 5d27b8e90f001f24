// Samplers on Gaussian data with the exact denoiser: the law they draw from, without sampling error, beside the closed
// form; the order of the error in the number of steps; and the limits of those that keep no marginal.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/probability_flow.hpp>

#include "affine_step.hpp"

using namespace softscore;

namespace {

const shape image{.images = 1, .channels = 1, .height = 2, .width = 3};

Eigen::VectorXd data_mean() {
  Eigen::VectorXd mean(6);
  mean << 0.3, -0.2, 0.5, 0.1, -0.4, 0.2;
  return mean;
}

// Positive definite, and commutes with none of the operators here.
Eigen::MatrixXd data_covariance() {
  Eigen::MatrixXd root(6, 6);
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 6; ++j) root(i, j) = std::sin(1.0 + 2.0 * i + 5.0 * j + 0.7 * i * j);
  Eigen::MatrixXd covariance = 0.25 * root * root.transpose();
  covariance.diagonal().array() += 0.3;
  return covariance;
}

constexpr double first_time = 1.0, last_time = 0.05;

// The largest errors of mean and covariance after as many steps.
struct law_error {
  double mean, covariance;
};

template <class S, class C>
law_error error_after(const S& sampler, const C& corruption, std::size_t steps) {
  const gaussian_denoiser<C> exact{corruption, data_mean(), data_covariance(), image};
  const auto [mean, covariance] = exact.marginal(diffusion_time{first_time});
  const auto [wanted_mean, wanted_covariance] = exact.marginal(diffusion_time{last_time});
  const normal_law drawn =
      law_after(sampler, corruption, exact, image, uniform_grid(steps, first_time, last_time), {mean, covariance});
  return {(drawn.mean - wanted_mean).cwiseAbs().maxCoeff(),
          (drawn.covariance - wanted_covariance).cwiseAbs().maxCoeff()};
}

// The measured order at every doubling from 64 to 512 steps is within a tenth of the stated one, so the law tends to
// the closed form. The mean is that of the closed form after every number of steps: each step maps C_t m to C_s m.
template <class S, class C>
void check_order(const S& sampler, const C& corruption) {
  double last = 0;
  for (std::size_t steps = 64; steps <= 512; steps *= 2) {
    const law_error e = error_after(sampler, corruption, steps);
    CAPTURE(steps, e.mean, e.covariance);
    // 512 steps on numbers below 1, and a factor of ten.
    CHECK(e.mean < 512 * 10 * 1.1e-16);
    if (steps > 64) CHECK_THAT(std::log2(last / e.covariance), Catch::Matchers::WithinRel(double{S::order}, 0.1));
    last = e.covariance;
  }
}

template <class C>
void check_all(const C& corruption) {
  SECTION("ddim without noise") { check_order(ddim{}, corruption); }
  SECTION("ddim with half of the noise") { check_order(ddim{0.5}, corruption); }
  SECTION("ddim with all the noise") { check_order(ddim{1.0}, corruption); }
  SECTION("momentum") { check_order(momentum{}, corruption); }
  SECTION("probability flow") { check_order(probability_flow{}, corruption); }
  SECTION("heun") { check_order(heun{}, corruption); }
}

}  // namespace

TEST_CASE("under exploding noise the samplers reach the closed form with their order", "[sampler]") {
  const corruption exploding{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}};
  check_all(exploding);
  SECTION("ddpm") { check_order(ddpm{}, exploding); }
  SECTION("ddpm, smaller variance") { check_order(ddpm{ancestral_variance::small}, exploding); }
}

TEST_CASE("under preserved variance the samplers reach the closed form with their order", "[sampler]") {
  const corruption preserving{scaling{}, variance_preserving{.rate_first = 0.5, .rate_last = 3.0}};
  check_all(preserving);
  SECTION("ddpm") { check_order(ddpm{}, preserving); }
  SECTION("ddpm, smaller variance") { check_order(ddpm{ancestral_variance::small}, preserving); }
}

TEST_CASE("under a blur that grows with the noise the samplers reach the closed form with their order", "[sampler]") {
  check_all(corruption{gaussian_blur{.half_width = 3},
                       variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.5}});
}

TEST_CASE("under a fade that grows with the noise the samplers reach the closed form with their order", "[sampler]") {
  check_all(corruption{fade{}, variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.0}});
}

TEST_CASE("the data commutes with neither blur nor fade", "[sampler]") {
  const auto gap = [](const auto& corruption) {
    const gaussian_denoiser exact{corruption, data_mean(), data_covariance(), image};
    const Eigen::MatrixXd c = exact.signal_matrix(diffusion_time{1.0});
    return (c * data_covariance() - data_covariance() * c).cwiseAbs().maxCoeff();
  };
  CHECK(gap(corruption{gaussian_blur{.half_width = 3}, variance_exploding{.level_max = 1.5}}) > 0.02);
  CHECK(gap(corruption{fade{}, variance_exploding{.level_max = 1.0}}) > 0.02);
}

TEST_CASE("a whole run is the composition of its measured steps", "[sampler]") {
  const corruption blurring{gaussian_blur{.half_width = 3},
                            variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.5}};
  const gaussian_denoiser exact{blurring, data_mean(), data_covariance(), image};
  const auto check = [&](const auto& sampler) {
    const auto grid = uniform_grid(12, first_time, last_time);
    const affine_step whole = measured_step(sampler, blurring, exact, image, grid);
    Eigen::MatrixXd state = Eigen::MatrixXd::Identity(6, 6);
    Eigen::VectorXd constant = Eigen::VectorXd::Zero(6);
    for (std::size_t i = 0; i < grid.steps(); ++i) {
      const affine_step each =
          measured_step(sampler, blurring, exact, image, time_grid{{grid[i].t.value, grid[i].s.value}});
      state = each.state * state;
      constant = each.state * constant + each.constant;
    }
    // Twelve steps of a few operations on numbers of size 1.
    CHECK((whole.state - state).cwiseAbs().maxCoeff() < 1e-13);
    CHECK((whole.constant - constant).cwiseAbs().maxCoeff() < 1e-13);
  };
  check(ddim{});
  check(heun{});
  check(probability_flow{});
}
