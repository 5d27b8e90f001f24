#pragma once

#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/inverse_problem.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Makes every estimate agree with a measurement y = A x_0: h' = h + A^+ (y - A h) keeps only the part of h that A does
/// not see. Then it steps by `rule` with h' (Wang et al. 2022, Algorithm 1). The noise of y stays in the image.
/// Conjugate gradients find the pseudo-inverse, so any operator works. The last step returns h'.
template <class Op, OneEvaluationRule Rule = ddim>
class projection {
 public:
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true, handles_last_step = true;
  using steps_by = Rule;

  /// Throws `error` for a measurement with a negative level or sigma.
  projection(measurement<Op> how, observation y, Rule rule = {})
      : how_{std::move(how)}, y_{std::move(y)}, rule_{std::move(rule)} {
    how_.check();
  }

  template <class R>
  struct scratch {
    detail::measured_state<R> measured;
    regularized_inverse<typename R::backend, typename R::value_type> inverse;
    typename Rule::template scratch<R> of_rule;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {detail::start_measured(run, y_), {run.on(), run.extent()}, rule_.start(run)};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    const auto rest = memory.measured.rest.view();
    detail::compare(run, how_, h, memory.measured);
    memory.inverse.solve(run.on(), how_, 0.0, rest, rest);
    run.on().combine(rest, term{1.0, h}, term{1.0, rest});
    take_step(rule_, run, memory.of_rule, at, x, rest);
  }

 private:
  measurement<Op> how_;
  observation y_;
  Rule rule_;
};
static_assert(Sampler<projection<identity>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
