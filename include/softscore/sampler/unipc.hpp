#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/estimate_history.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// UniPC of order 1, 2 or 3 on the probability flow, for C = a I (Zhao et al. 2023, Algorithms 1 and 2, in the form
/// that predicts x_0, with B(h) = e^h - 1). The predictor UniP-p uses p estimates: it is `ddim`, `dpm_solver_pp_2m` or
/// `dpm_solver_pp_3m`. The corrector UniC-p takes the estimate that the next step makes anyway, at the predicted x, and
/// repeats the step with p + 1 estimates: order p + 1 without another evaluation. If a run ends above time 0, its
/// result is predicted, not corrected. For p = 3 the first step is one of `dpm_solver<3>`, with two more evaluations,
/// since the error of a start of low order would stay.
template <int Order = 2, bool Corrects = true>
struct unipc {
  static_assert(Order >= 1 && Order <= 3, "softscore: the order of unipc is 1, 2 or 3");
  static constexpr int order = Corrects ? Order + 1 : Order, evaluations_per_step = 1;
  static constexpr std::size_t least_steps = Order < 3 ? 1 : 3;
  static constexpr bool needs_score = true, needs_scalar_signal = true;

  template <class R>
  struct scratch {
    detail::estimate_history<R> past;
    typename dpm_solver<3>::template scratch<R> of_start;
    decltype(std::declval<R&>().make()) from;  // x where the previous step began
    diffusion_time before{};
    std::size_t through{};  // number of estimates in the prediction; 0 if there is nothing to correct
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {detail::estimate_history<R>{run}, dpm_solver<3>{}.start(run), run.make(), {}, 0};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto& c = run.corruption();
    auto& past = memory.past;
    if (Corrects && memory.through > 0) correct(run, memory, at.t, x, h);
    const double length = detail::lambda_length(c, at);
    past.add(run, detail::half_log_snr(c, at.t), h);
    memory.through = 0;
    const double sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s), a_s = c.signal_gain(at.s);
    if (past.known == 0 || detail::is_jump<typename R::value_type>(length) || length == 0.0) {
      const double keep = sigma_s == sigma_t ? 1.0 : sigma_s / sigma_t;
      be.combine(x, term{a_s - keep * c.signal_gain(at.t), h}, term{keep, x});
      return;
    }
    if (Order == 3 && past.known == 1) {
      dpm_solver<3>{}.step(run, memory.of_start, at, x, h);
      return;
    }
    memory.through = std::min<std::size_t>(past.known, Order);
    memory.before = at.t;
    if (Corrects) be.combine(memory.from.view(), term{1.0, x});
    past.advance(run, x, sigma_s / sigma_t, x, a_s * length, predictor(past, length, memory.through), memory.through);
  }

 private:
  // With two estimates UniPC takes half the change per length, not the polynomial's own weights.
  template <class Past>
  static std::array<double, 4> predictor(const Past& past, double length, std::size_t through) {
    if (through != 2) return past.weights(length, through);
    const double all = detail::exponential_moment(0, length), before = past.lambda[0] - past.lambda[1];
    const double back = before < detail::least_distance * length ? 0.0 : 0.5 * length / before;
    return {all * (1.0 + back), -all * back, 0.0, 0.0};
  }

  template <class R>
  static void correct(R& run, scratch<R>& memory, diffusion_time t, view_in<R> x, view_in<R> h) {
    auto& be = run.on();
    const auto& c = run.corruption();
    auto& past = memory.past;
    const double length = detail::half_log_snr(c, t) - past.lambda[0];
    std::array<double, 4> w{};
    if (memory.through == 1) {
      w[0] = w[1] = 0.5 * detail::exponential_moment(0, length);
    } else {
      std::array<double, 4> nodes{1.0};
      for (std::size_t j = 0; j < memory.through; ++j) nodes[j + 1] = (past.lambda[j] - past.lambda[0]) / length;
      w = detail::multistep_weights(length, std::span<const double>{nodes}.first(memory.through + 1));
    }
    const double scale = c.signal_gain(t) * length;
    past.advance(run, x, c.sigma(t) / c.sigma(memory.before), memory.from.view(), scale, {w[1], w[2], w[3], 0.0},
                 memory.through);
    be.combine(x, term{1.0, x}, term{scale * w[0], h});
  }
};
static_assert(Sampler<unipc<3>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
