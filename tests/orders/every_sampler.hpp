#pragma once

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>

#include <softscore/core/quantity.hpp>
#include <softscore/sampler/adams_bashforth.hpp>
#include <softscore/sampler/alternating.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/dormand_prince.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m_sde.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/euler.hpp>
#include <softscore/sampler/euler_maruyama.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/langevin.hpp>
#include <softscore/sampler/learned_ddpm.hpp>
#include <softscore/sampler/midpoint.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/predictor_corrector.hpp>
#include <softscore/sampler/probability_flow.hpp>
#include <softscore/sampler/reverse_diffusion.hpp>
#include <softscore/sampler/rk4.hpp>
#include <softscore/sampler/unipc.hpp>

// The samplers whose orders are measured, once for all tables: `add(name, sampler, noise, other)`.

using namespace softscore;

// How often a sampler draws in a step, and whether it remembers earlier ones: a run that does is measured as a whole.
struct drawing {
  std::size_t draws{};
  bool remembers{true};
  std::size_t least_steps{96};  // of a run measured as a whole
};
inline constexpr drawing no_noise{}, fresh_noise{1, false}, fresh_noise_twice{2, false}, noise_and_memory{1, true},
    noise_and_memory_late{1, true, 256};

// Another distribution than the marginal, and why.
struct other_distribution {
  std::string reason{};
  // Of the step from the end to the end whose chain stands still there, x' = C h + keep (x - C h) + add z.
  std::optional<step_weights> standing{};
};

// A Langevin step of length q: x + q score + sqrt(2 q) z, where sigma^2 score = C h - x.
inline step_weights langevin_weights(double q, double sigma) { return {1.0 - q / (sigma * sigma), std::sqrt(2.0 * q)}; }

inline const std::string langevin_bias = "the bias of a Langevin step of that length";

// Those that take any corruption; `sigma` is the noise at the end.
template <class Add>
void each_for_any(double sigma, const Add& add) {
  const std::string fixed_noise = "fresh noise of a fixed size: the distribution that a step from t to t leaves alone";
  add("ddim{}", ddim{}, no_noise, {});
  add("ddim{0.5}", ddim{0.5}, fresh_noise, {});
  add("ddim{1}", ddim{1.0}, fresh_noise, {});
  add("momentum", momentum{}, fresh_noise, {});
  add("probability_flow", probability_flow{}, no_noise, {});
  add("alternating", alternating{}, no_noise, {});
  add("euler", euler{}, no_noise, {});
  add("euler_maruyama", euler_maruyama{}, fresh_noise, {});
  add("heun", heun{}, no_noise, {});
  add("midpoint", midpoint{}, no_noise, {});
  add("dpm_solver_pp_2m", dpm_solver_pp_2m{}, no_noise, {});
  add("dpm_solver_pp_2m_sde", dpm_solver_pp_2m_sde{}, noise_and_memory, {});
  add("adams_bashforth<2>", adams_bashforth<2>{}, no_noise, {});
  add("adams_bashforth<3>", adams_bashforth<3>{}, no_noise, {});
  add("adams_bashforth<4>", adams_bashforth<4>{}, no_noise, {});
  add("rk4", rk4{}, no_noise, {});
  add("dormand_prince, no control", dormand_prince{1e9, 1e9, 1.0}, no_noise, {});
  const double k = 0.5 * sigma, q = 0.02, longer = 0.05, share = 0.1;
  add("naive", naive{}, fresh_noise, {fixed_noise, {{0.0, sigma}}});
  add("soft_ddim, k = half of the last sigma", soft_ddim{k}, fresh_noise, {fixed_noise, {{std::sqrt(0.75), k}}});
  add("predictor_corrector, q = 0.02", predictor_corrector<momentum, fixed_length>{momentum{}, fixed_length{q}},
      fresh_noise_twice, {langevin_bias, langevin_weights(q, sigma)});
  add("ula, q = 0.05", ula{longer}, fresh_noise, {langevin_bias, langevin_weights(longer, sigma)});
  add("annealed_langevin<1>, a tenth of sigma^2", annealed_langevin<1>{share}, fresh_noise,
      {langevin_bias, langevin_weights(share * sigma * sigma, sigma)});
  add("cold", cold{}, fresh_noise, {"the first noise stays"});
}

// Those that need C = a I as well.
template <class Add>
void each_for_scalar(double sigma, const Add& add) {
  const double q = 0.02;
  add("predictor_corrector on reverse_diffusion, q = 0.02",
      predictor_corrector<reverse_diffusion, fixed_length>{reverse_diffusion{}, fixed_length{q}}, fresh_noise_twice,
      {langevin_bias, langevin_weights(q, sigma)});
  add("ddpm, large variance", ddpm{}, fresh_noise, {});
  add("ddpm, small variance", ddpm{ancestral_variance::fixed_small}, fresh_noise, {});
  add("learned_ddpm, u = 0.5", learned_ddpm{[](diffusion_time) { return 0.5; }}, fresh_noise, {});
  add("reverse_diffusion", reverse_diffusion{}, fresh_noise, {});
  add("edm_heun{}", edm_heun{}, no_noise, {});
  add("edm_heun, churn 10", edm_heun{10.0}, noise_and_memory, {});  // how much depends on the number of steps
  add("dpm_solver<1>", dpm_solver<1>{}, no_noise, {});
  add("dpm_solver<2>", dpm_solver<2>{}, no_noise, {});
  add("dpm_solver<3>", dpm_solver<3>{}, no_noise, {});
  add("dpm_solver_pp_3m", dpm_solver_pp_3m{}, no_noise, {});
  add("dpm_solver_pp_3m_sde", dpm_solver_pp_3m_sde{}, noise_and_memory_late, {});  // its third power is large
  add("unipc<1, false>", unipc<1, false>{}, no_noise, {});
  add("unipc<2, false>", unipc<2, false>{}, no_noise, {});
  add("unipc<3, false>", unipc<3, false>{}, no_noise, {});
  add("unipc<1>", unipc<1>{}, no_noise, {});
  add("unipc<2>", unipc<2>{}, no_noise, {});
  add("unipc<3>", unipc<3>{}, no_noise, {});
}
