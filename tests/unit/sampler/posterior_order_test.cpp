// With the estimate E[x_0 given x_t, y] every sampler draws from the posterior, with its own order: mean and covariance
// are propagated through the sampler's steps, so that there is no sampling error.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/denoiser/posterior_denoiser.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/sampler/adams_bashforth.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/euler.hpp>
#include <softscore/sampler/euler_maruyama.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/midpoint.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/probability_flow.hpp>
#include <softscore/sampler/reverse_diffusion.hpp>
#include <softscore/sampler/rk4.hpp>
#include <softscore/sampler/unipc.hpp>

#include "affine_run.hpp"
#include "gaussian_data.hpp"
#include "measured_order.hpp"

using namespace softscore;

namespace {

// A blurred and noisy image of the normal law of gaussian_data.hpp.
const measurement blurred{gaussian_blur{.half_width = 2}, level{0.8}, 0.3};
const observation seen{gaussian_image, {0.4, -0.3, 0.8, 0.1, -0.6, 0.2}};

template <class S, class C>
double error_after(const S& sampler, const C& corruption, std::size_t steps, std::size_t draws) {
  const gaussian_mixture prior{{1.0, gaussian_mean(), gaussian_covariance()}};
  const posterior_denoiser<C> exact{corruption, prior, blurred, seen, gaussian_image};
  const auto marginal = [&](double t) {
    const gaussian_mixture law = exact.marginal(diffusion_time{t});
    return normal_law{law[0].mean, law[0].covariance};
  };
  const time_grid grid = uniform_grid(steps, first_time, last_time);
  const normal_law found =
      draws == no_memory ? law_after(sampler, corruption, exact, gaussian_image, grid, marginal(first_time))
                         : law_of_run(sampler, corruption, exact, gaussian_image, grid, marginal(first_time), draws);
  const normal_law wanted = marginal(last_time);
  return std::max((found.mean - wanted.mean).cwiseAbs().maxCoeff(),
                  (found.covariance - wanted.covariance).cwiseAbs().maxCoeff());
}

// The measured order at three doublings is within a tenth of the stated one.
template <class S, class C>
void check_posterior(const S& sampler, const C& corruption, std::size_t first = 64, std::size_t draws = 0) {
  double last = 0;
  for (std::size_t steps = first; steps <= 8 * first; steps *= 2) {
    const double e = error_after(sampler, corruption, steps, draws);
    CAPTURE(steps, last, e);
    if (steps > first) CHECK_THAT(std::log2(last / e), Catch::Matchers::WithinRel(double{S::order}, 0.1));
    last = e;
  }
}

template <class C>
void check_all(const C& corruption) {
  SECTION("ddim") { check_posterior(ddim{}, corruption); }
  SECTION("ddim with half of the noise") { check_posterior(ddim{0.5}, corruption, 64, no_memory); }
  SECTION("momentum") { check_posterior(momentum{}, corruption, 64, no_memory); }
  SECTION("probability flow") { check_posterior(probability_flow{}, corruption); }
  SECTION("heun") { check_posterior(heun{}, corruption); }
  SECTION("euler") { check_posterior(euler{}, corruption); }
  SECTION("midpoint") { check_posterior(midpoint{}, corruption); }
  SECTION("rk4") { check_posterior(rk4{}, corruption, 16); }
  SECTION("adams_bashforth<3>") { check_posterior(adams_bashforth<3>{}, corruption); }
  SECTION("euler_maruyama") { check_posterior(euler_maruyama{}, corruption, 64, no_memory); }
  SECTION("dpm_solver_pp_2m") { check_posterior(dpm_solver_pp_2m{}, corruption); }
  SECTION("dpm_solver_pp_2m_sde") { check_posterior(dpm_solver_pp_2m_sde{}, corruption, 64, 1); }
}

}  // namespace

TEST_CASE("under preserved variance every sampler reaches the posterior with its order", "[sampler]") {
  check_all(preserving());
  SECTION("ddpm") { check_posterior(ddpm{}, preserving(), 64, no_memory); }
  SECTION("reverse_diffusion") { check_posterior(reverse_diffusion{}, preserving(), 128, no_memory); }
  SECTION("dpm_solver_pp_3m") { check_posterior(dpm_solver_pp_3m{}, preserving()); }
  SECTION("unipc<2>") { check_posterior(unipc<2>{}, preserving()); }
}

TEST_CASE("under a fade that grows with the noise every sampler reaches the posterior with its order", "[sampler]") {
  check_all(fading());
}
