#pragma once

#include <cstddef>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/sampler/archetype.hpp>
#include <softscore/sampler/estimate_history.hpp>
#include <softscore/sampler/half_log_snr.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// DPM-Solver++ (3M) on the reverse SDE, for C = a I (Lu et al. 2022b; k-diffusion, `sample_dpmpp_3m_sde`): x_s =
/// (sigma_s / sigma_t) exp(-eta H) x_t + a_s (1 + eta) integral_0^H exp((1 + eta)(u - H)) p(u) du + sigma_s sqrt(1 -
/// exp(-2 eta H)) z. p is the polynomial in lambda = log(a / sigma) through the last three estimates, and H is the step
/// in lambda. eta, from 0 to 1, is the share of the noise: 1, the default, is the reverse SDE, and 0 the probability
/// flow. The weights are the polynomial's own; public code takes half of the last term. It is of order 2 in
/// distribution for eta > 0. The reason is how the noise varies between two times: the estimates at those times do not
/// contain it, so no polynomial through them does, and it adds a term of second order to the variance. The first step
/// uses one estimate and the second two, which leaves order 2 for eta = 0 as well; `dpm_solver_pp_3m` starts better.
struct dpm_solver_pp_3m_sde {
  static constexpr int order = 2, evaluations_per_step = 1;
  static constexpr std::size_t least_steps = 3;
  static constexpr bool needs_score = true, needs_scalar_signal = true;

  double eta{1.0};

  dpm_solver_pp_3m_sde() = default;
  /// Throws `error` unless 0 <= eta <= 1.
  explicit dpm_solver_pp_3m_sde(double share) : eta{share} {
    require(eta >= 0.0 && eta <= 1.0, "eta", eta, "between 0 and 1");
  }

  template <class R>
  struct scratch {
    detail::estimate_history<R> past;
    decltype(std::declval<R&>().make()) noise;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {detail::estimate_history<R>{run}, run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto& c = run.corruption();
    auto& past = memory.past;
    const double length = detail::lambda_length(c, at);
    const double sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s), a_s = c.signal_gain(at.s);
    // Steps of infinite length, from no signal or to no noise, are the limits of these lines; eta = 0 times that length
    // is not.
    const double of_noise = eta == 0.0 ? 0.0 : eta * length, damped = length + of_noise;
    const double keep = (sigma_s == sigma_t ? 1.0 : sigma_s / sigma_t) * std::exp(-of_noise);
    const double add = sigma_s * std::sqrt(-std::expm1(-2.0 * of_noise));
    past.add(run, detail::half_log_snr(c, at.t), h);
    const double of_h = std::isfinite(length) ? -a_s * std::expm1(-damped) : a_s - keep * c.signal_gain(at.t);
    if (past.known < 2 || detail::is_jump<typename R::value_type>(length) || length == 0.0)
      be.combine(x, term{keep, x}, term{of_h, h});
    else
      past.advance(run, x, keep, x, a_s * damped, past.weights(length, past.known, damped), past.known);
    if (add != 0.0) run.combine_with_normal(at, add, memory.noise.view(), x, term{1.0, x});
  }
};
static_assert(Sampler<dpm_solver_pp_3m_sde, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
