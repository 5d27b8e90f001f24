#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/inverse_problem.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// RePaint (Lugmayr et al. 2022, Algorithm 1), for C = a I. The part of the image that a projection A, such as a mask,
/// sees is set to the measurement, with noise to the level of s; DDPM steps the rest. Then the whole image returns to t
/// by the forward noise, and the step is repeated, `rounds` times in all, so that both parts come to agree. It is
/// biased even with an exact estimate: the part seen is drawn from the noised measurement, not from its distribution
/// given the rest. sigma_y has no effect. One evaluation per round; the last step has one round and returns A y + (I -
/// A) h.
template <class Op>
class repaint {
 public:
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr std::size_t draws_per_step = 255;
  static constexpr bool needs_score = true, needs_scalar_signal = true, handles_last_step = true;

  unsigned rounds{10};
  ddpm rule{};

  /// Throws `error` unless there are 1 to 85 rounds, and for a measurement with a negative level or sigma.
  repaint(measurement<Op> how, observation y, unsigned times = 10, ddpm step_rule = {})
      : rounds{times}, rule{step_rule}, how_{std::move(how)}, y_{std::move(y)} {
    how_.check();
    // Every round draws three times, and a step's draws are numbered by a byte.
    require(rounds >= 1 && rounds <= 85, "rounds", rounds, "between 1 and 85");
  }

  template <class R>
  struct scratch {
    detail::measured_state<R> measured;
    typename detail::measured_state<R>::array noise, seen;
  };

  /// Throws `error` if A is not a projection.
  template <class R>
  scratch<R> start(R& run) const {
    scratch<R> memory{detail::start_measured(run, y_), run.make(), run.make()};
    auto& be = run.on();
    const auto y = memory.measured.y.view(), rest = memory.measured.rest.view(), seen = memory.seen.view();
    apply(run, y, seen);
    apply(run, seen, rest);
    be.combine(rest, term{1.0, rest}, term{-1.0, seen});
    std::vector<double> moved(run.extent().images), whole(run.extent().images);
    be.dot(rest, rest, moved.data());
    be.dot(seen, seen, whole.data());
    for (std::size_t i = 0; i < moved.size(); ++i)
      require(moved[i] <= 1e-10 * whole[i], "what A changes of A y", std::sqrt(moved[i]),
              "0: RePaint takes A for a projection, such as a mask");
    return memory;
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto y = memory.measured.y.view(), rest = memory.measured.rest.view(), noise = memory.noise.view(),
               seen = memory.seen.view();
    if (at.last()) {
      detail::compare(run, how_, h, memory.measured);
      apply(run, rest, seen);
      be.combine(x, term{1.0, h}, term{1.0, seen});
      return;
    }
    const auto& c = run.corruption();
    const double a_t = c.signal_gain(at.t), a_s = c.signal_gain(at.s), sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s);
    const double g = gain_ratio(c, at);
    const double added = std::sqrt((std::max)(0.0, (sigma_t - g * sigma_s) * (sigma_t + g * sigma_s)));
    const auto [keep, add] = rule.weights(c, at);
    for (unsigned round = 0; round < rounds; ++round) {
      const std::size_t draw = 3 * std::size_t{round};
      if (round > 0) {
        run.normal(at, noise, draw - 1);
        be.combine(x, term{g, x}, term{added, noise});
        run.estimate(at.t, x, h);
      }
      run.normal(at, noise, draw);
      be.combine(x, term{a_s - keep * a_t, h}, term{keep, x}, term{add, noise});
      run.normal(at, noise, draw + 1);
      be.combine(rest, term{a_s, y}, term{sigma_s, noise}, term{-1.0, x});
      apply(run, rest, seen);
      be.combine(x, term{1.0, x}, term{1.0, seen});
    }
  }

 private:
  template <class R>
  void apply(R& run, view_in<R> in, view_in<R> out) const {
    how_.template apply<typename R::backend, typename R::value_type>(run.on(), in, out);
  }

  measurement<Op> how_;
  observation y_;
};
static_assert(Sampler<repaint<identity>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
