#pragma once

#include <limits>
#include <string>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/sampler/archetype.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The two numbers that make a one-evaluation sampler: x_s = C_s h + keep (x_t - C_t h) + add z (own derivation).
struct step_weights {
  double keep{};  ///< of the residual noise
  double add{};   ///< of fresh noise
};

/// a_t / a_s; 1 if no signal is left at either time, as it is where the schedule stands still.
template <class C>
double gain_ratio(const C& corruption, const step_at& at) {
  const double a_t = corruption.signal_gain(at.t), a_s = corruption.signal_gain(at.s);
  return a_t == a_s ? 1.0 : a_t / a_s;
}

/// sigma_s^2 / sigma_t^2; 1 if the two are equal, even for 0 / 0.
inline double noise_ratio(double sigma_t, double sigma_s) {
  return sigma_s == sigma_t ? 1.0 : (sigma_s / sigma_t) * (sigma_s / sigma_t);
}

namespace detail {
// A weight that is not finite in type T would make every pixel not finite; this error says in which step.
template <class T>
void require_weight(const step_at& at, double weight) {
  if (std::abs(weight) <= static_cast<double>((std::numeric_limits<T>::max)())) return;
  reject("weight in the step from time " + shown(at.t.value) + " to " + shown(at.s.value), weight,
         "a finite number of the state's type");
}
}  // namespace detail

/// Makes a sampler from a rule for the two numbers. `Rule` derives from `one_evaluation<Rule>` and has the member
/// `step_weights weights(const C& corruption, const step_at& at) const`; the step is written here, once. The last step
/// returns h (docs/decisions/0006). Throws `error` for a weight that is not finite, with the times of the step.
template <class Rule>
struct one_evaluation {
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true;

  template <class R>
  struct scratch {
    decltype(std::declval<R&>().make()) now, next, noise;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {run.make(), run.make(), run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto [keep, add] = static_cast<const Rule&>(*this).weights(run.corruption(), at);
    detail::require_weight<typename R::value_type>(at, keep);
    detail::require_weight<typename R::value_type>(at, add);
    const auto noise = memory.noise.view();
    if constexpr (Meets<R, needs::scalar_signal>) {
      const double of_h = run.corruption().signal_gain(at.s) - keep * run.corruption().signal_gain(at.t);
      if (add != 0.0)
        run.combine_with_normal(at, add, noise, x, term{of_h, h}, term{keep, x});
      else
        be.combine(x, term{of_h, h}, term{keep, x});
    } else {
      const auto now = memory.now.view(), next = memory.next.view();
      run.signal(at.s, h, next);
      if (keep != 0.0) run.signal(at.t, h, now);
      if (add != 0.0)
        run.combine_with_normal(at, add, noise, x, term{1.0, next}, term{keep, x}, term{-keep, now});
      else
        be.combine(x, term{1.0, next}, term{keep, x}, term{-keep, now});
    }
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
