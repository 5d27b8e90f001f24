#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/half_log_snr.hpp>
#include <softscore/sampler/multistep_weights.hpp>
#include <softscore/sampler/one_evaluation.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A rule for the two numbers of `one_evaluation`, applied to an extrapolated estimate: h + (h - h_before) / (2 q),
/// which is valid for the middle of the step. q is the ratio of the previous step's length to this one's. Lengths are
/// measured in log(a / sigma) if the signal is a number times the image, and in time otherwise. The first step, and a
/// step that ends with no noise, or with less than the state's numbers can resolve, use h itself.
template <class Rule>
struct extrapolated : one_evaluation<Rule> {
  static constexpr int order = 2;

  template <class R>
  struct scratch {
    typename one_evaluation<Rule>::template scratch<R> of_step;
    decltype(std::declval<R&>().make()) before, ahead;
    double length{};  // of the step before
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {one_evaluation<Rule>::start(run), run.make(), run.make(), 0.0};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto before = memory.before.view(), ahead = memory.ahead.view();
    const double length = detail::clock_length(run.corruption(), at);
    // An estimate from too close by would only add its rounding; a step of length 0 leaves the history unchanged.
    const bool looks =
        memory.length > detail::least_distance * length && !detail::is_jump<typename R::value_type>(length);
    const double more = looks ? 0.5 * length / memory.length : 0.0;
    if (more != 0.0) be.combine(ahead, term{1.0 + more, h}, term{-more, before});
    if (std::isfinite(memory.length) && length < detail::least_distance * memory.length) {
      memory.length += length;
    } else {
      be.combine(before, term{1.0, h});
      memory.length = length;
    }
    one_evaluation<Rule>::step(run, memory.of_step, at, x, more != 0.0 ? ahead : h);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
