#include "order_table.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <memory>
#include <utility>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/composed.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/paced.hpp>
#include <softscore/operator/scaling.hpp>
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

#include "any_corruption.hpp"
#include "measured_row.hpp"

using namespace softscore;

double order_row::order() const {
  double x = 0, y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(fine.size());
  for (const point& p : fine) {
    const double a = std::log(static_cast<double>(p.steps)), b = std::log(p.error);
    x += a / n, y += b / n, xx += a * a / n, xy += a * b / n;
  }
  return -(xy - x * y) / (xx - x * x);
}

namespace {

const std::string fixed_noise = "fresh noise of a fixed size: the distribution that a step from t to t leaves alone";
const std::string first_noise = "the first noise stays";
const std::string langevin_bias = "the bias of a Langevin step of that length";
const std::string jumps = "C_t jumps: what the mask reveals lacks the spread that x_t does not tell of";

template <class C>
void add_any(std::vector<order_row>& rows, const place& where, const C& c) {
  const auto add = [&](const char* name, const auto& sampler, drawing noise, const other_distribution& other = {}) {
    rows.push_back(measure(name, sampler, where, c, noise, other));
  };
  add("ddim{}", ddim{}, no_noise);
  add("ddim{0.5}", ddim{0.5}, fresh_noise);
  add("ddim{1}", ddim{1.0}, fresh_noise);
  add("momentum", momentum{}, fresh_noise);
  add("probability_flow", probability_flow{}, no_noise);
  add("alternating", alternating{}, no_noise);
  add("euler", euler{}, no_noise);
  add("euler_maruyama", euler_maruyama{}, fresh_noise);
  add("heun", heun{}, no_noise);
  add("midpoint", midpoint{}, no_noise);
  add("dpm_solver_pp_2m", dpm_solver_pp_2m{}, no_noise);
  add("dpm_solver_pp_2m_sde", dpm_solver_pp_2m_sde{}, noise_and_memory);
  add("adams_bashforth<2>", adams_bashforth<2>{}, no_noise);
  add("adams_bashforth<3>", adams_bashforth<3>{}, no_noise);
  add("adams_bashforth<4>", adams_bashforth<4>{}, no_noise);
  add("rk4", rk4{}, no_noise);
  add("dormand_prince, no control", dormand_prince{1e9, 1e9, 1.0}, no_noise);
  const auto exact = exact_denoiser(c);
  const diffusion_time end{last_time};
  const double sigma = c.sigma(end), k = 0.5 * sigma, q = 0.02;
  const Eigen::MatrixXd one = Eigen::MatrixXd::Identity(6, 6),
                        clean = exact.signal_matrix(end) * exact.gain_matrix(end);
  // c = 0 and n = sigma; c = sqrt(sigma^2 - k^2) / sigma and n = k; a Langevin step, x - q V^-1 x and n^2 = 2 q.
  add("naive", naive{}, fresh_noise, {fixed_noise, standing_covariance(clean, sigma)});
  add("soft_ddim, k = half of the last sigma", soft_ddim{k}, fresh_noise,
      {fixed_noise, standing_covariance(clean + std::sqrt(0.75) * (one - clean), k)});
  add("predictor_corrector, q = 0.02", predictor_corrector<momentum, fixed_length>{momentum{}, fixed_length{q}},
      fresh_noise_twice,
      {langevin_bias, standing_covariance(one - q * exact.marginal(end).second.inverse(), std::sqrt(2 * q))});
  const double longer = 0.05;
  add("ula, q = 0.05", ula{longer}, fresh_noise,
      {langevin_bias, standing_covariance(one - longer * exact.marginal(end).second.inverse(), std::sqrt(2 * longer))});
  const double share = 0.1, of_end = share * sigma * sigma;
  add("annealed_langevin<1>, a tenth of sigma^2", annealed_langevin<1>{share}, fresh_noise,
      {langevin_bias, standing_covariance(one - of_end * exact.marginal(end).second.inverse(), std::sqrt(2 * of_end))});
  add("cold", cold{}, fresh_noise, {first_noise});
}

void add_scalar(std::vector<order_row>& rows, const place& where, const any_scalar_corruption& c) {
  const auto add = [&](const char* name, const auto& sampler, drawing noise, const other_distribution& other = {}) {
    rows.push_back(measure(name, sampler, where, c, noise, other));
  };
  const double q = 0.02;
  add("predictor_corrector on reverse_diffusion, q = 0.02",
      predictor_corrector<reverse_diffusion, fixed_length>{reverse_diffusion{}, fixed_length{q}}, fresh_noise_twice,
      {langevin_bias,
       standing_covariance(
           Eigen::MatrixXd::Identity(6, 6) - q * exact_denoiser(c).marginal(diffusion_time{last_time}).second.inverse(),
           std::sqrt(2 * q))});
  add("ddpm, large variance", ddpm{}, fresh_noise);
  add("ddpm, small variance", ddpm{ancestral_variance::fixed_small}, fresh_noise);
  add("learned_ddpm, u = 0.5", learned_ddpm{[](diffusion_time) { return 0.5; }}, fresh_noise);
  add("reverse_diffusion", reverse_diffusion{}, fresh_noise);
  add("edm_heun{}", edm_heun{}, no_noise);
  add("edm_heun, churn 10", edm_heun{10.0}, noise_and_memory);  // how much depends on the number of steps
  add("dpm_solver<1>", dpm_solver<1>{}, no_noise);
  add("dpm_solver<2>", dpm_solver<2>{}, no_noise);
  add("dpm_solver<3>", dpm_solver<3>{}, no_noise);
  add("dpm_solver_pp_3m", dpm_solver_pp_3m{}, no_noise);
  add("dpm_solver_pp_3m_sde", dpm_solver_pp_3m_sde{}, noise_and_memory_late);  // its third power is large
  add("unipc<1, false>", unipc<1, false>{}, no_noise);
  add("unipc<2, false>", unipc<2, false>{}, no_noise);
  add("unipc<3, false>", unipc<3, false>{}, no_noise);
  add("unipc<1>", unipc<1>{}, no_noise);
  add("unipc<2>", unipc<2>{}, no_noise);
  add("unipc<3>", unipc<3>{}, no_noise);
}

void add_mask(std::vector<order_row>& rows, const place& where, const any_corruption& c) {
  const auto add = [&](const char* name, const auto& sampler, drawing noise) {
    rows.push_back(measure(name, sampler, where, c, noise, {jumps}));
  };
  add("ddim{}", ddim{}, no_noise);
  add("momentum", momentum{}, fresh_noise);
  add("probability_flow", probability_flow{}, no_noise);
  add("heun", heun{}, no_noise);
  add("dpm_solver_pp_2m", dpm_solver_pp_2m{}, no_noise);
}

}  // namespace

std::vector<order_row> order_table(std::string_view schedule, std::string_view family) {
  std::vector<order_row> rows;
  const auto wanted = [&](const place& where) {
    return where.schedule.find(schedule) != std::string::npos && where.family.find(family) != std::string::npos;
  };
  const auto noise_alone = [&](const place& where, auto corruption) {
    if (!wanted(where)) return;
    const any_scalar_corruption c{std::move(corruption)};
    add_any(rows, where, c);
    add_scalar(rows, where, c);
  };
  const auto with = [&](const place& where, auto corruption) {
    if (wanted(where)) add_any(rows, where, any_corruption{std::move(corruption)});
  };
  const gaussian_blur blur{.half_width = 3};
  const variance_preserving vp{.rate_first = 1.0, .rate_last = 6.0};
  const cosine bent{.horizon = 0.85};
  noise_alone({"VE", "identity"}, corruption{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}});
  with({"VE", "blur"}, blurring());
  with({"VE", "fade"}, fading());
  // Where the signal shrinks too, the operator is a number times a blur or a fade.
  noise_alone({"VP", "identity"}, corruption{scaling{}, vp});
  with({"VP", "blur"}, corruption{scaling{} * paced{blur, 2.5}, vp});
  with({"VP", "fade"}, corruption{scaling{} * paced{fade{}, 0.5}, vp});
  noise_alone({"cosine", "identity"}, corruption{scaling{}, bent});
  with({"cosine", "blur"}, corruption{scaling{} * paced{blur, 2.5}, bent});
  with({"cosine", "fade"}, corruption{scaling{} * paced{fade{}, 0.6}, bent});
  add_in_modes(rows, schedule, family);
  if (wanted({"VE", "mask"}))
    add_mask(rows, {"VE", "mask"},
             any_corruption{corruption{centered_mask{},
                                       variance_exploding{.sigma_min = 0.1, .sigma_max = 0.5, .level_max = 2.0}}});
  return rows;
}
