#pragma once

#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/inverse_problem.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// DiffPIR (Zhu et al. 2023, Algorithm 1): the estimate becomes h' = argmin |y - A v|^2 + rho |v - h|^2 with rho =
/// lambda sigma_y^2 a_t^2 / sigma_t^2, and x_s = C_s h' + sigma_s (sqrt(1 - zeta) (x_t - C_t h') / sigma_t + sqrt(zeta)
/// z). If C_t is not a number times I, a_t is 1 in rho. Conjugate gradients find the minimum, so any operator works.
/// The last step returns h'.
template <class Op>
class diffpir {
 public:
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true, handles_last_step = true;

  double lambda{1.0};  ///< the weight of the estimate against the measurement
  double zeta{0.3};    ///< the share of the noise's variance that is drawn again

  /// Throws `error` for a negative lambda, a zeta outside [0, 1] or a measurement with a negative level or sigma.
  diffpir(measurement<Op> how, observation y, double weight = 1.0, double fresh = 0.3)
      : lambda{weight}, zeta{fresh}, how_{std::move(how)}, y_{std::move(y)} {
    how_.check();
    require(lambda >= 0.0 && std::isfinite(lambda), "lambda", lambda, "at least 0 and finite");
    require(zeta >= 0.0 && zeta <= 1.0, "zeta", zeta, "between 0 and 1");
  }

  /// The step as a rule for two numbers.
  struct renewal : one_evaluation<renewal> {
    double zeta{};

    template <class C>
    step_weights weights(const C& c, const step_at& at) const {
      const double sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s);
      return {std::sqrt(1.0 - zeta) * (sigma_s == sigma_t ? 1.0 : sigma_s / sigma_t), std::sqrt(zeta) * sigma_s};
    }
  };

  template <class R>
  struct scratch {
    detail::measured_state<R> measured;
    regularized_inverse<typename R::backend, typename R::value_type> inverse;
    typename renewal::template scratch<R> of_rule;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {detail::start_measured(run, y_), {run.on(), run.extent()}, renewal{{}, zeta}.start(run)};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    const auto rest = memory.measured.rest.view();
    double noise = run.corruption().sigma(at.t);
    if constexpr (Meets<R, needs::scalar_signal>) noise /= run.corruption().signal_gain(at.t);
    const double weight = lambda * how_.sigma * how_.sigma, rho = weight == 0.0 ? 0.0 : weight / (noise * noise);
    if (detail::outweighs_measurement<typename R::value_type>(rho)) {
      take_step(renewal{{}, zeta}, run, memory.of_rule, at, x, h);
      return;
    }
    detail::compare(run, how_, h, memory.measured);
    memory.inverse.solve(run.on(), how_, rho, rest, rest);
    run.on().combine(rest, term{1.0, h}, term{1.0, rest});
    take_step(renewal{{}, zeta}, run, memory.of_rule, at, x, rest);
  }

 private:
  measurement<Op> how_;
  observation y_;
};
static_assert(Sampler<diffpir<identity>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
