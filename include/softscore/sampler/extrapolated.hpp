#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/half_log_snr.hpp>
#include <softscore/sampler/multistep_weights.hpp>
#include <softscore/sampler/one_evaluation.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A rule for the two numbers of `one_evaluation`, applied to an estimate that looks ahead: h + (h - h_before) / (2 q),
/// which stands for the middle of the step, q being the length of the step before over that of this one. Lengths are
/// measured in log(a / sigma) where the signal is a number times the image, and in time elsewhere. The first step, and
/// one that ends without noise that the state's numbers show, take h itself.
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
    // An estimate from too close by would show its rounding, and a step of no length leaves what is known as it is.
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
