#pragma once

#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/inverse_problem.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// How far `pigdm` moves along the gradient: as far as the score moves a step of its rule; or, as public
/// implementations do with trained networks, a_s a_t r^2 times the score of y (a_s = 1 in the last step). The Jacobian
/// of a network that predicts the noise has an error divided by a_t, which the second choice keeps small where a_t is
/// small; it is not exact for any data.
enum class pigdm_scale { score, gain };

/// Pseudoinverse guidance (Song et al. 2023, Eq. 7) treats x_0 given x_t as normal with covariance r^2 I about h. The
/// score of y given x_t is then J^T A^T (r^2 A A^T + sigma_y^2 I)^-1 (y - A h), and the sampler steps by `rule` along
/// the sum of both scores. r^2 = v sigma^2 / (a^2 v + sigma^2) is that of data N(0, v I), for which the method is
/// exact. It requires C = a I, because otherwise the score does not determine h. Where no signal is left, J is that of
/// such data too. The last step returns the guided estimate.
template <class Op, OneEvaluationRule Rule = ddim>
class pigdm {
 public:
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true, needs_scalar_signal = true, needs_pullback = true, handles_last_step = true;
  using steps_by = Rule;

  double data_variance{1.0};  ///< v
  pigdm_scale scale{pigdm_scale::score};

  /// Throws `error` for a data variance that is not above 0 or a measurement with a negative level or sigma.
  pigdm(measurement<Op> how, observation y, double variance = 1.0, Rule rule = {},
        pigdm_scale which = pigdm_scale::score)
      : data_variance{variance}, scale{which}, how_{std::move(how)}, y_{std::move(y)}, rule_{std::move(rule)} {
    how_.check();
    require(data_variance > 0.0 && std::isfinite(data_variance), "data_variance", data_variance, "above 0 and finite");
  }

  template <class R>
  struct scratch {
    detail::measured_state<R> measured;
    regularized_inverse<typename R::backend, typename R::value_type> inverse;
    typename Rule::template scratch<R> of_rule;
    typename detail::measured_state<R>::array guidance;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {detail::start_measured(run, y_), {run.on(), run.extent()}, rule_.start(run), run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    using T = typename R::value_type;
    const auto rest = memory.measured.rest.view(), guidance = memory.guidance.view();
    const double a = run.corruption().signal_gain(at.t), sigma = run.corruption().sigma(at.t);
    const double unknown = data_variance * sigma * sigma / (a * a * data_variance + sigma * sigma);
    const double rho = how_.sigma == 0.0 ? 0.0 : how_.sigma * how_.sigma / unknown;
    if (sigma == 0.0 || detail::outweighs_measurement<T>(rho)) {  // x_t shows the image itself
      take_step(rule_, run, memory.of_rule, at, x, h);
      return;
    }
    detail::compare(run, how_, h, memory.measured);
    // A^T (r^2 A A^T + sigma_y^2)^-1 = (A^T A + (sigma_y / r)^2)^-1 A^T / r^2
    memory.inverse.solve(run.on(), how_, rho, rest, rest);
    const double a_s = at.last() ? 1.0 : run.corruption().signal_gain(at.s);
    if (scale == pigdm_scale::score && detail::signal_is_gone<T>(run.corruption(), at.t)) {
      // J is a_t r^2 / sigma_t^2 for data N(0, v I), and cancels the divisor of the score's share.
      take_step(rule_, run, memory.of_rule, at, x, h);
      run.on().combine(x, term{1.0, x}, term{a_s, rest});
      return;
    }
    run.pullback(at.t, rest, guidance);
    const double share =
        scale == pigdm_scale::score ? detail::score_share(run.corruption(), rule_, at) / unknown : a * a_s;
    take_step(rule_, run, memory.of_rule, at, x, h);
    run.on().combine(x, term{1.0, x}, term{share, guidance});
  }

 private:
  measurement<Op> how_;
  observation y_;
  Rule rule_;
};
static_assert(Sampler<pigdm<identity>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
