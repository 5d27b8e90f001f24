#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/inverse_problem.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// How far `dps` moves along the gradient: a fixed zeta; zeta over the distance |y - A h| of each image, as in the
/// paper; or zeta times what the score of N(y; A h, sigma_y^2 I) moves x in the step.
enum class dps_scale { constant, residual, likelihood };

/// Diffusion posterior sampling (Chung et al. 2023, Algorithm 1): steps by `rule`, then x_s -= zeta_t grad |y - A
/// h(x_t)|^2, where the gradient in x_t is -2 J^T A^T (y - A h). It treats x_0 given x_t as a single point. Therefore
/// it trusts y too much, and is biased even with an exact estimate. The last step returns h with the same correction.
template <class Op, OneEvaluationRule Rule = ddpm>
class dps {
 public:
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true, needs_pullback = true, handles_last_step = true;
  using steps_by = Rule;

  double zeta{1.0};
  dps_scale scale{dps_scale::residual};

  /// Throws `error` for a zeta that is negative or infinite, a measurement with a negative level or sigma, and for a
  /// measurement without noise under `dps_scale::likelihood`.
  dps(measurement<Op> how, observation y, double length = 1.0, dps_scale which = dps_scale::residual, Rule rule = {})
      : zeta{length}, scale{which}, how_{std::move(how)}, y_{std::move(y)}, rule_{std::move(rule)} {
    how_.check();
    require(zeta >= 0.0 && std::isfinite(zeta), "zeta", zeta, "at least 0 and finite");
    require(scale != dps_scale::likelihood || how_.sigma > 0.0, "sigma of the measurement", how_.sigma,
            "above 0 where the likelihood scales the step");
  }

  template <class R>
  struct scratch {
    detail::measured_state<R> measured;
    typename Rule::template scratch<R> of_rule;
    typename detail::measured_state<R>::array guidance;
    std::vector<double> each;
  };

  /// Throws `error` if the likelihood scales the step and no signal is left: Tweedie's formula divides by the signal's
  /// gain, and the limit depends on the data's covariance.
  template <class R>
  scratch<R> start(R& run) const {
    run.each_step([&](const step_at& at) {
      if constexpr (Meets<R, needs::scalar_signal>)
        require(
            scale != dps_scale::likelihood || !detail::signal_is_gone<typename R::value_type>(run.corruption(), at.t),
            "the signal's gain at a time of the grid", run.corruption().signal_gain(at.t),
            "above 0 where the likelihood scales the step of dps");
    });
    return {detail::start_measured(run, y_), rule_.start(run), run.make(), std::vector<double>(run.extent().images)};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto rest = memory.measured.rest.view(), guidance = memory.guidance.view();
    detail::compare(run, how_, h, memory.measured);
    if (scale == dps_scale::residual) be.dot(rest, rest, memory.each.data());
    how_.template adjoint<typename R::backend, typename R::value_type>(be, rest, guidance);
    run.pullback(at.t, guidance, rest);
    const double share = scale == dps_scale::likelihood
                             ? zeta * detail::score_share(run.corruption(), rule_, at) / (how_.sigma * how_.sigma)
                             : 2.0 * zeta;
    // Where y is met up to underflow, there is no direction left.
    const auto least = static_cast<double>((std::numeric_limits<typename R::value_type>::min)());
    for (double& e : memory.each)
      e = scale == dps_scale::residual ? (std::sqrt(e) > 1e8 * least ? share / std::sqrt(e) : 0.0) : share;
    take_step(rule_, run, memory.of_rule, at, x, h);
    be.combine(x, term{1.0, x}, term{each_of(memory.each), rest});
  }

 private:
  measurement<Op> how_;
  observation y_;
  Rule rule_;
};
static_assert(Sampler<dps<identity>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
