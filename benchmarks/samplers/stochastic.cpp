#include <softscore/sampler/alternating.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m_sde.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/euler_maruyama.hpp>
#include <softscore/sampler/exponential_integrator.hpp>
#include <softscore/sampler/langevin.hpp>
#include <softscore/sampler/predictor_corrector.hpp>
#include <softscore/sampler/reverse_diffusion.hpp>

#include "contest.hpp"

namespace {
using namespace softscore;
const bool entered = contest::enter("alternating", alternating{}) && contest::enter("edm_heun", edm_heun{}) &&
                     contest::enter("edm_heun, churn 10", edm_heun{10.0}) &&
                     contest::enter("euler_maruyama", euler_maruyama{}) &&
                     contest::enter("reverse_diffusion", reverse_diffusion{}) &&
                     contest::enter("predictor_corrector", predictor_corrector{}) &&
                     contest::enter("annealed_langevin<4>", annealed_langevin<4>{}) &&
                     contest::enter("dpm_solver_pp_2m_sde", dpm_solver_pp_2m_sde{}) &&
                     contest::enter("dpm_solver_pp_3m_sde", dpm_solver_pp_3m_sde{}) &&
                     contest::enter("exponential_integrator", exponential_integrator{});
}  // namespace
