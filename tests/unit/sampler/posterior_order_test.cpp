// With the estimate E[x_0 given x_t, y] every sampler draws from the posterior, with its own order: mean and covariance
// are propagated through the sampler's steps, so that there is no sampling error.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/denoiser/posterior_denoiser.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/sampler/adams_bashforth.hpp>
#include <softscore/sampler/alternating.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/euler.hpp>
#include <softscore/sampler/euler_maruyama.hpp>
#include <softscore/sampler/exponential_integrator.hpp>
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

// A blurred and noisy image of the normal distribution of gaussian_data.hpp.
const measurement blurred{gaussian_blur{.half_width = 2}, level{0.8}, 0.3};
const observation seen{gaussian_image, {0.4, -0.3, 0.8, 0.1, -0.6, 0.2}};

// Preserved or exploding variance behind one type, so that a sampler is compiled once for both.
struct either_variance {
  variance_preserving kept{.rate_first = 0.5, .rate_last = 3.0};
  variance_exploding grown{.sigma_min = 0.1, .sigma_max = 2.0};
  bool explodes{};

  level level_at(diffusion_time t) const { return explodes ? level{0.0} : kept.level_at(t); }
  double sigma_at(diffusion_time t) const { return explodes ? grown.sigma_at(t) : kept.sigma_at(t); }
  double level_rate_at(diffusion_time t) const { return explodes ? 0.0 : kept.level_rate_at(t); }
  double sigma_rate_at(diffusion_time t) const { return explodes ? grown.sigma_rate_at(t) : kept.sigma_rate_at(t); }
};
corruption<scaling, either_variance> of_noise(bool explodes) { return {scaling{}, {.explodes = explodes}}; }

// A blur that has modes, for the exponential integrator too; they are not those of the data or of the measurement.
auto heating() {
  return corruption{dct_blur{}, variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.5}};
}

template <class S, class C>
double error_after(const S& sampler, const C& corruption, std::size_t steps, std::size_t draws) {
  const gaussian_mixture prior{{1.0, gaussian_mean(), gaussian_covariance()}};
  const posterior_denoiser<C> exact{corruption, prior, blurred, seen, gaussian_image};
  const auto marginal = [&](double t) {
    const gaussian_mixture distribution = exact.marginal(diffusion_time{t});
    return gaussian_distribution{distribution[0].mean, distribution[0].covariance};
  };
  const time_grid grid = uniform_grid(steps, first_time, last_time);
  const gaussian_distribution found =
      draws == no_memory
          ? distribution_after(sampler, corruption, exact, gaussian_image, grid, marginal(first_time))
          : distribution_of_run(sampler, corruption, exact, gaussian_image, grid, marginal(first_time), draws);
  const gaussian_distribution wanted = marginal(last_time);
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

// `finer` times as many steps for the two methods whose errors under some corruptions are not yet those of many steps
// at 64, or 16.
template <class C>
void check_all(const C& corruption, std::size_t finer = 1) {
  SECTION("ddim") { check_posterior(ddim{}, corruption); }
  SECTION("ddim with half of the noise") { check_posterior(ddim{0.5}, corruption, 64, no_memory); }
  SECTION("ddim with all of the noise") { check_posterior(ddim{1.0}, corruption, 64, no_memory); }
  SECTION("momentum") { check_posterior(momentum{}, corruption, 64, no_memory); }
  SECTION("probability flow") { check_posterior(probability_flow{}, corruption); }
  SECTION("alternating") { check_posterior(alternating{}, corruption); }
  SECTION("heun") { check_posterior(heun{}, corruption); }
  SECTION("euler") { check_posterior(euler{}, corruption); }
  SECTION("midpoint") { check_posterior(midpoint{}, corruption); }
  SECTION("rk4") { check_posterior(rk4{}, corruption, 16 * finer); }
  SECTION("adams_bashforth<2>") { check_posterior(adams_bashforth<2>{}, corruption); }
  SECTION("adams_bashforth<3>") { check_posterior(adams_bashforth<3>{}, corruption); }
  SECTION("adams_bashforth<4>") { check_posterior(adams_bashforth<4>{}, corruption); }
  SECTION("euler_maruyama") { check_posterior(euler_maruyama{}, corruption, 64 * finer, no_memory); }
  SECTION("dpm_solver_pp_2m") { check_posterior(dpm_solver_pp_2m{}, corruption); }
  SECTION("dpm_solver_pp_2m_sde") { check_posterior(dpm_solver_pp_2m_sde{}, corruption, 64, 1); }
  SECTION("exponential_integrator<1>") { check_posterior(exponential_integrator<1>{}, corruption); }
  SECTION("exponential_integrator<2>") { check_posterior(exponential_integrator<2>{}, corruption, 128); }
  SECTION("exponential_integrator<3>") { check_posterior(exponential_integrator<3>{}, corruption); }
}

// The same for samplers that need a signal that is a number times the image.
template <class C>
void check_scalar(const C& corruption) {
  SECTION("ddpm") { check_posterior(ddpm{}, corruption, 64, no_memory); }
  SECTION("ddpm with the smaller variance") {
    check_posterior(ddpm{ancestral_variance::fixed_small}, corruption, 64, no_memory);
  }
  SECTION("reverse_diffusion") { check_posterior(reverse_diffusion{}, corruption, 128, no_memory); }
  SECTION("dpm_solver<1>") { check_posterior(dpm_solver<1>{}, corruption); }
  SECTION("dpm_solver<2>") { check_posterior(dpm_solver<2>{}, corruption); }
  SECTION("dpm_solver<3>") { check_posterior(dpm_solver<3>{}, corruption, 16); }
  SECTION("dpm_solver_pp_3m") { check_posterior(dpm_solver_pp_3m{}, corruption); }
  SECTION("unipc<1>") { check_posterior(unipc<1>{}, corruption); }
  SECTION("unipc<2>") { check_posterior(unipc<2>{}, corruption); }
  SECTION("unipc<3>") { check_posterior(unipc<3>{}, corruption); }
  SECTION("edm_heun") { check_posterior(edm_heun{}, corruption); }
}

}  // namespace

TEST_CASE("under preserved variance every sampler reaches the posterior with its order", "[sampler]") {
  check_all(of_noise(false));
  check_scalar(of_noise(false));
}

TEST_CASE("under exploding noise every sampler reaches the posterior with its order", "[sampler]") {
  check_all(of_noise(true), 2);
  check_scalar(of_noise(true));
}

TEST_CASE("under a fade that grows with the noise every sampler reaches the posterior with its order", "[sampler]") {
  check_all(fading());
}

TEST_CASE("under a blur that grows with the noise every sampler reaches the posterior with its order", "[sampler]") {
  check_all(heating(), 2);
}
