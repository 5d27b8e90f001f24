#pragma once

#include <cstddef>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/estimate_history.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// DPM-Solver++ (3M), the exponential multistep method of order 3 on the probability flow, for C = a I (Lu et al.
/// 2022b): x_s = (sigma_s / sigma_t) x_t + a_s integral_0^H exp(u - H) p(u) du. p is the polynomial in lambda = log(a /
/// sigma) through the last three estimates, and H is the step in lambda. The weights are those of that polynomial;
/// public code takes half of the term of second order, which leaves order 2. The first step is one of `dpm_solver<2>`,
/// with one more evaluation, and the second uses two estimates.
struct dpm_solver_pp_3m {
  static constexpr int order = 3, evaluations_per_step = 1;
  static constexpr std::size_t least_steps = 3;
  static constexpr bool needs_score = true, needs_scalar_signal = true;

  template <class R>
  struct scratch {
    detail::estimate_history<R> past;
    typename dpm_solver<2>::template scratch<R> of_start;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {detail::estimate_history<R>{run}, dpm_solver<2>{}.start(run)};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    const auto& c = run.corruption();
    auto& past = memory.past;
    const double length = detail::lambda_length(c, at);
    past.add(run, detail::half_log_snr(c, at.t), h);
    if (past.known < 2 || detail::is_jump<typename R::value_type>(length) || length == 0.0) {
      dpm_solver<2>{}.step(run, memory.of_start, at, x, h);
      return;
    }
    past.advance(run, x, c.sigma(at.s) / c.sigma(at.t), x, c.signal_gain(at.s) * length,
                 past.weights(length, past.known), past.known);
  }
};
static_assert(Sampler<dpm_solver_pp_3m, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
