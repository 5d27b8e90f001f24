#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/midpoint.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/rk4.hpp>
#include <softscore/sampler/unipc.hpp>

#include "any_corruption.hpp"
#include "measured_row.hpp"

std::vector<order_row> end_table() {
  const std::string lost_variance = "the last step returns the mean of x_0, without its spread";
  std::vector<order_row> rows;
  const auto at = [&](const char* schedule, auto corruption) {
    const any_scalar_corruption c{std::move(corruption)};
    const place where{schedule, "identity", 0.0};
    order_row lost{"Cov(x_0 given x_t)", schedule, "identity", 0, lost_variance, 0.0, {}, {}};
    const auto exact = exact_denoiser(c);
    for (const std::size_t n : {128u, 256u, 512u, 1024u}) {
      const diffusion_time t{1.0 / static_cast<double>(n)};
      const Eigen::MatrixXd left =
          gaussian_covariance() - exact.gain_matrix(t) * exact.signal_matrix(t) * gaussian_covariance();
      lost.fine.push_back({n, 0, left.cwiseAbs().maxCoeff()});
    }
    rows.push_back(std::move(lost));
    const auto add = [&](const char* name, const auto& sampler, drawing noise) {
      rows.push_back(measure(name, sampler, where, c, noise, {lost_variance}));
    };
    add("ddim{}", ddim{}, no_noise);
    add("momentum", momentum{}, fresh_noise);
    add("heun", heun{}, no_noise);
    add("midpoint", midpoint{}, no_noise);
    add("rk4", rk4{}, no_noise);
    add("edm_heun{}", edm_heun{}, no_noise);
    add("dpm_solver<2>", dpm_solver<2>{}, no_noise);
    add("dpm_solver_pp_2m", dpm_solver_pp_2m{}, no_noise);
    add("dpm_solver_pp_3m", dpm_solver_pp_3m{}, no_noise);
    add("unipc<2>", unipc<2>{}, no_noise);
  };
  at("VE", corruption{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}});
  at("VP", corruption{scaling{}, variance_preserving{.rate_first = 1.0, .rate_last = 6.0}});
  at("cosine", corruption{scaling{}, cosine{.horizon = 0.85}});
  return rows;
}
