#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/sampler/flow_slope.hpp>
#include <softscore/sampler/multistep_weights.hpp>
#include <softscore/sampler/rk4.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The Adams-Bashforth method of order 1 to 4 on the probability-flow ODE in time, for steps of any lengths (Bashforth
/// and Adams 1883; Liu et al. 2022 use it for diffusion models). The slope over the step is the polynomial through the
/// slopes at the last `Order` times. It takes one evaluation per step. If the order is above 2, `rk4` takes the first
/// `Order` - 1 steps with three more evaluations each, since the error of a start of low order would stay in the
/// result.
template <int Order = 2>
struct adams_bashforth {
  static_assert(Order >= 1 && Order <= 4, "softscore: the order of adams_bashforth is 1, 2, 3 or 4");
  static constexpr int order = Order, evaluations_per_step = 1;
  static constexpr std::size_t least_steps = Order < 3 ? 1 : Order;
  static constexpr bool needs_score = true, needs_derivative = true;

  template <class R>
  struct scratch {
    detail::flow_slope<R> slope;
    rk4::scratch<R> of_start;
    std::array<decltype(std::declval<R&>().make()), 4> slopes;  // the newest first, as many as `known`
    std::array<double, 4> times{};
    std::size_t known{};
  };

  template <class R>
  scratch<R> start(R& run) const {
    run.each_step([&](const step_at& at) {
      if (!at.last()) detail::require_slope<typename R::value_type>(run.corruption(), at.t, at.t.value - at.s.value);
    });
    return {detail::flow_slope<R>{run}, rk4{}.start(run), {run.make(), run.make(), run.make(), run.make()}, {}, 0};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    std::rotate(memory.slopes.begin(), memory.slopes.begin() + Order - 1, memory.slopes.begin() + Order);
    std::rotate(memory.times.begin(), memory.times.begin() + Order - 1, memory.times.begin() + Order);
    memory.slope(run, at.t, x, h, memory.slopes[0].view());
    memory.times[0] = at.t.value;
    memory.known = std::min<std::size_t>(memory.known + 1, Order);
    if (Order > 2 && memory.known < Order) {
      rk4{}.step(run, memory.of_start, at, x, h);
      return;
    }
    const double length = at.s.value - at.t.value;
    std::array<double, 4> nodes{};
    for (std::size_t j = 0; j < memory.known; ++j) nodes[j] = (memory.times[j] - at.t.value) / length;
    const auto weights = detail::multistep_weights(0.0, std::span<const double>{nodes}.first(memory.known));
    std::array<per_image<double>, 4> scaled{length * weights[0], length * weights[1], length * weights[2],
                                            length * weights[3]};
    detail::add_up(run, x, x, scaled, memory.known, memory.slopes);
  }
};
static_assert(Sampler<adams_bashforth<4>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
