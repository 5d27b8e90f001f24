// Every sampler on every backend: solvers of the probability flow and of the reverse SDE, of several evaluations per
// step or with a memory of earlier ones.
#include "catch.hpp"

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/tabulated.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/adams_bashforth.hpp>
#include <softscore/sampler/dormand_prince.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m_sde.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/euler.hpp>
#include <softscore/sampler/exponential_integrator.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/midpoint.hpp>
#include <softscore/sampler/rk4.hpp>
#include <softscore/sampler/unipc.hpp>

#include "on_all_backends.hpp"

using namespace softscore;

namespace {

const corruption<scaling, variance_preserving> preserving{scaling{}, variance_preserving{}};
const variance_exploding exploding{.sigma_min = 0.1, .sigma_max = 2.0, .level_max = 1.0};
const corruption<fade, variance_exploding> fading{fade{}, exploding};

}  // namespace

TEST_CASE("solvers in time draw the same on every backend", "[samplers]") {
  check_on_all_backends("euler", euler{}, fading);
  check_on_all_backends("midpoint", midpoint{}, fading);
  check_on_all_backends("heun", heun{}, fading);
  check_on_all_backends("rk4", rk4{}, fading);
  // At its default tolerance a step of this grid is taken in a handful of parts.
  check_on_all_backends("dormand_prince", dormand_prince{}, fading, steady_denoiser{}, 10);
  check_on_all_backends("adams_bashforth<4>", adams_bashforth<4>{}, fading);
}

TEST_CASE("exponential solvers draw the same on every backend", "[samplers]") {
  check_on_all_backends("dpm_solver<1>", dpm_solver<1>{}, preserving);
  check_on_all_backends("dpm_solver<3>", dpm_solver<3>{}, preserving);
  check_on_all_backends("dpm_solver_pp_2m", dpm_solver_pp_2m{}, fading);
  check_on_all_backends("dpm_solver_pp_2m_sde", dpm_solver_pp_2m_sde{}, fading);
  check_on_all_backends("dpm_solver_pp_3m", dpm_solver_pp_3m{}, preserving);
  check_on_all_backends("dpm_solver_pp_3m_sde", dpm_solver_pp_3m_sde{}, preserving);
  check_on_all_backends("unipc<3>", unipc<3>{}, preserving);
  check_on_all_backends("exponential_integrator<3>", exponential_integrator<3>{}, corruption{dct_blur{}, exploding});
  check_on_all_backends("edm_heun", edm_heun{}, preserving);
  check_on_all_backends("edm_heun with churn", edm_heun{3.0}, preserving);
}

TEST_CASE("solvers step over a plateau on every backend", "[samplers]") {
  const corruption standing{identity{}, tabulated{{{0, 0, .1}, {.5, 0, 1}, {.8, 0, 1}, {1, 0, 2}}}};
  check_on_all_backends("heun", heun{}, standing);
  check_on_all_backends("dpm_solver<3>", dpm_solver<3>{}, standing);
  check_on_all_backends("dpm_solver_pp_2m", dpm_solver_pp_2m{}, standing);
  check_on_all_backends("dpm_solver_pp_3m", dpm_solver_pp_3m{}, standing);
  check_on_all_backends("dpm_solver_pp_3m_sde", dpm_solver_pp_3m_sde{}, standing);
  check_on_all_backends("unipc<3>", unipc<3>{}, standing);
  check_on_all_backends("exponential_integrator<3>", exponential_integrator<3>{}, standing);
}
