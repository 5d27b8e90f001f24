#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/sampler/flow_slope.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// An explicit Runge-Kutta method of `Stages` stages. Stage j is at the fraction `nodes[j]` of the step and uses the
/// slopes before it with the weights `rows[j]`; the step adds the slopes with `weights`.
template <std::size_t Stages>
struct butcher_tableau {
  std::array<double, Stages> nodes{};
  std::array<std::array<double, Stages>, Stages> rows{};
  std::array<double, Stages> weights{};
};

/// Makes a sampler from a Runge-Kutta method: it integrates the probability-flow ODE dx/dt = C'_t h + (sigma'_t /
/// sigma_t) (x - C_t h) in time (Daras et al. 2022, Eq. 19). `Method` derives from `runge_kutta<Method>` and has
/// `static constexpr butcher_tableau<Stages> tableau` and its order. One evaluation per stage; the last step returns h.
template <class Method>
struct runge_kutta {
  static constexpr bool needs_score = true, needs_derivative = true;

  template <class R>
  struct scratch {
    detail::flow_slope<R> slope;
    std::vector<decltype(std::declval<R&>().make())> slopes;
    decltype(std::declval<R&>().make()) stage, h_stage;
    std::vector<per_image<double>> scaled;
  };

  /// Throws `error` if the slope at a stage divides the rounding of x by too little noise.
  template <class R>
  scratch<R> start(R& run) const {
    run.each_step([&](const step_at& at) {
      const double length = at.s.value - at.t.value;
      for (const double node : Method::tableau.nodes)
        if (!at.last())
          detail::require_slope<typename R::value_type>(run.corruption(), {at.t.value + node * length}, length);
    });
    scratch<R> memory{detail::flow_slope<R>{run}, {}, run.make(), run.make(), {}};
    memory.scaled.assign(Method::tableau.nodes.size(), per_image<double>{0.0});
    memory.slopes.reserve(Method::tableau.nodes.size());
    for (std::size_t j = 0; j < Method::tableau.nodes.size(); ++j) memory.slopes.push_back(run.make());
    return memory;
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    constexpr auto stages = Method::tableau.nodes.size();
    const double length = at.s.value - at.t.value;
    const auto stage = memory.stage.view(), h_stage = memory.h_stage.view();
    std::vector<per_image<double>>& scaled = memory.scaled;
    const auto add = [&](const std::array<double, stages>& weights, std::size_t count, view_in<R> out) {
      for (std::size_t k = 0; k < count; ++k) scaled[k] = length * weights[k];
      detail::add_up(run, out, x, scaled, count, memory.slopes);
    };
    memory.slope(run, at.t, x, h, memory.slopes[0].view());
    for (std::size_t j = 1; j < stages; ++j) {
      const diffusion_time t{at.t.value + Method::tableau.nodes[j] * length};
      add(Method::tableau.rows[j], j, stage);
      run.estimate(t, stage, h_stage);
      memory.slope(run, t, stage, h_stage, memory.slopes[j].view());
    }
    add(Method::tableau.weights, stages, x);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
