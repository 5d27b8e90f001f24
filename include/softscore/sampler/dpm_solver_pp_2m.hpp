#pragma once

#include <softscore/core/config.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/extrapolated.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// DPM-Solver++ (2M), the exponential multistep method of order 2 on the probability-flow ODE (Lu et al. 2022b,
/// Algorithm 2): `ddim` without noise on an estimate extrapolated from this one and the one before. Under a corruption
/// that is not a number times the image the same formula is of order 2 as well, since x_t / sigma_t changes by d(C_t /
/// sigma_t) h.
struct dpm_solver_pp_2m : extrapolated<dpm_solver_pp_2m> {
  template <class C>
  step_weights weights(const C& c, const step_at& at) const {
    return ddim{}.weights(c, at);
  }
};
static_assert(Sampler<dpm_solver_pp_2m, archetype_run>);

/// DPM-Solver++ (2M) on the reverse SDE (Lu et al. 2022b, appendix on SDE-DPM-Solver++ (2M)): `ddim{1}` on an
/// extrapolated estimate. It is of order 2 in distribution: a step misses what its own noise does to the estimate, and
/// the next one corrects this because it also uses the previous estimate.
struct dpm_solver_pp_2m_sde : extrapolated<dpm_solver_pp_2m_sde> {
  template <class C>
  step_weights weights(const C& c, const step_at& at) const {
    return ddim{1.0}.weights(c, at);
  }
};
static_assert(Sampler<dpm_solver_pp_2m_sde, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
