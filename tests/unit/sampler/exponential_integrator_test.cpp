// The exponential integrator in the operator's modes (Lu et al. 2022b in each mode): its orders, DDIM as its first,
// what it refuses.
#include "catch.hpp"

#include <algorithm>
#include <cmath>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/exponential_integrator.hpp>

#include "measured_order.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

auto heating() {
  return corruption{dct_blur{}, variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.5}};
}

// The largest difference between the maps of two samplers on a grid.
template <class A, class B, class C>
double gap(const A& a, const B& b, const C& corruption, const time_grid& grid) {
  const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const affine_step first = measured_step(a, corruption, exact, gaussian_image, grid);
  const affine_step second = measured_step(b, corruption, exact, gaussian_image, grid);
  return std::max((first.state - second.state).cwiseAbs().maxCoeff(),
                  (first.constant - second.constant).cwiseAbs().maxCoeff());
}

}  // namespace

TEST_CASE("the exponential integrator has its order in every mode of a fade, a blur and a number", "[sampler]") {
  const auto check = [](const auto& corruption) {
    check_orders(exponential_integrator<1>{}, corruption);
    check_orders(exponential_integrator<2>{}, corruption, 128);
    check_orders(exponential_integrator<3>{}, corruption);
  };
  check(fading());
  check(heating());
  check(exploding());
  check(preserving());
}

TEST_CASE("the exponential integrator of order 1 is DDIM, and the others meet DPM-Solver++ on a number", "[sampler]") {
  // Different ways to the same numbers of size 1, over eight steps; the grid ends at time 0.
  const auto grid = uniform_grid(8);
  CHECK(gap(exponential_integrator<1>{}, ddim{}, fading(), grid) < 1e-13);
  CHECK(gap(exponential_integrator<1>{}, ddim{}, heating(), grid) < 1e-13);
  CHECK(gap(exponential_integrator<1>{}, ddim{}, preserving(), grid) < 1e-13);
  CHECK(gap(exponential_integrator<2>{}, ddim{}, fading(), grid) > 1e-3);
  // Both of order 3, with different first steps: as far apart as their errors, which fall with the third power.
  const double coarse = gap(exponential_integrator<3>{}, dpm_solver_pp_3m{}, preserving(), uniform_grid(64, 1.0, 0.05));
  const double fine = gap(exponential_integrator<3>{}, dpm_solver_pp_3m{}, preserving(), uniform_grid(128, 1.0, 0.05));
  CAPTURE(coarse, fine);
  CHECK(coarse < 1e-3);
  CHECK(fine < coarse / 6);
}

TEST_CASE("a mode without signal is DDIM's in the step that reveals it", "[sampler]") {
  const corruption masking{centered_mask{}, variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 2.0}};
  // One step over the jumps: nothing before it to look back at.
  CHECK(gap(exponential_integrator<2>{}, ddim{}, masking, time_grid{{0.8, 0.1}}) < 1e-14);
  // Over many steps the modes stay finite, though lambda is infinite where the mask hides them.
  CHECK(gap(exponential_integrator<3>{}, ddim{}, masking, uniform_grid(16, 1.0, 0.05)) < 1.0);
}

TEST_CASE("an operator whose modes move is refused before the first step", "[sampler]") {
  CHECK_REFUSED(gap(exponential_integrator<2>{}, ddim{}, blurring(), uniform_grid(4)),
                "change of the operator's modes, in time or from right to left, is");
  CHECK_REFUSED(gap(exponential_integrator<3>{}, ddim{}, fading(), uniform_grid(2)),
                "number of steps is 2, but it must be at least 3");
}
