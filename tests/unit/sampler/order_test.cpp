// Samplers (Daras et al. 2022; Galerne 2024) on Gaussian data with the exact denoiser: the distribution they draw from,
// without sampling error, beside the closed form; the order of the error in the number of steps; and the limits of
// those that keep no marginal.
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

#include "measured_order.hpp"

using namespace softscore;

namespace {

// The mean is that of the closed form whatever the number of steps, for each maps C_t m to C_s m: here 512 steps on
// numbers below 1, and a factor of ten.
template <class S, class C>
void check_order(const S& sampler, const C& corruption) {
  check_orders(sampler, corruption, 64, no_memory);
  const gaussian_denoiser<C> exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const auto [mean, covariance] = exact.marginal(diffusion_time{first_time});
  const gaussian_distribution found = distribution_after(sampler, corruption, exact, gaussian_image,
                                                         uniform_grid(512, first_time, last_time), {mean, covariance});
  CHECK((found.mean - exact.marginal(diffusion_time{last_time}).first).cwiseAbs().maxCoeff() < 512 * 10 * 1.1e-16);
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
  check_all(exploding());
  SECTION("ddpm") { check_order(ddpm{}, exploding()); }
  SECTION("ddpm, smaller variance") { check_order(ddpm{ancestral_variance::fixed_small}, exploding()); }
}

TEST_CASE("under preserved variance the samplers reach the closed form with their order", "[sampler]") {
  check_all(preserving());
  SECTION("ddpm") { check_order(ddpm{}, preserving()); }
  SECTION("ddpm, smaller variance") { check_order(ddpm{ancestral_variance::fixed_small}, preserving()); }
}

TEST_CASE("under a blur that grows with the noise the samplers reach the closed form with their order", "[sampler]") {
  check_all(blurring());
}

TEST_CASE("under a fade that grows with the noise the samplers reach the closed form with their order", "[sampler]") {
  check_all(fading());
}

TEST_CASE("the data commutes with neither blur nor fade", "[sampler]") {
  const auto gap = [](const auto& corruption) {
    const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
    const Eigen::MatrixXd c = exact.signal_matrix(diffusion_time{1.0});
    return (c * gaussian_covariance() - gaussian_covariance() * c).cwiseAbs().maxCoeff();
  };
  CHECK(gap(corruption{gaussian_blur{.half_width = 3}, variance_exploding{.level_max = 1.5}}) > 0.02);
  CHECK(gap(corruption{fade{}, variance_exploding{.level_max = 1.0}}) > 0.02);
}

TEST_CASE("a whole run is the composition of its measured steps", "[sampler]") {
  const auto blurred = blurring();
  const gaussian_denoiser exact{blurred, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const auto check = [&](const auto& sampler) {
    const auto grid = uniform_grid(12, first_time, last_time);
    const affine_step whole = measured_step(sampler, blurred, exact, gaussian_image, grid);
    Eigen::MatrixXd state = Eigen::MatrixXd::Identity(6, 6);
    Eigen::VectorXd constant = Eigen::VectorXd::Zero(6);
    for (std::size_t i = 0; i < grid.steps(); ++i) {
      const affine_step each =
          measured_step(sampler, blurred, exact, gaussian_image, time_grid{{grid[i].t.value, grid[i].s.value}});
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
