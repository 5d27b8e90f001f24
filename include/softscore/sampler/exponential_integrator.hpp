#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/sampler/archetype.hpp>
#include <softscore/sampler/multistep_weights.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The exponential multistep method of order 1 to 3 on the probability flow, mode by mode, for C_t = V diag(c_t) V^T
/// with modes that do not change in time. Mode i has its own lambda = log(c_i / sigma), and x_s = (sigma_s / sigma_t)
/// x_t + c_i integral_0^H exp(u - H) p(u) du, where p is the polynomial in lambda through the last `Order` estimates.
/// It does the same as `dpm_solver_pp_3m` does for C = a I (Lu et al. 2022b), here for blurs by DCT and FFT, fades and
/// every diagonal family, masks included, and needs no derivative in time. Order 1 is `ddim`. It takes one evaluation
/// per step; order 3 takes one more in the first step. The start computes the operator's singular values at all times
/// of the grid and keeps them, one number per element and time. No step allocates memory, except under a dense matrix,
/// whose products do.
template <int Order = 2>
struct exponential_integrator {
  static_assert(Order >= 1 && Order <= 3, "softscore: the order of exponential_integrator is 1, 2 or 3");
  static constexpr int order = Order, evaluations_per_step = 1;
  static constexpr std::size_t least_steps = Order < 3 ? 1 : 3;
  static constexpr bool needs_score = true, needs_svd = true;

  template <class R>
  using parts_in = decltype(degradation<typename R::corruption_type::operator_type>::svd(
      std::declval<const R&>().corruption().linear_operator(), level{}, shape{}));

  template <class R>
  struct scratch {
    using array = decltype(std::declval<R&>().make());
    parts_in<R> parts;          // at the grid's start; the modes are the same at every time
    std::vector<double> gains;  // c_i at every time of the grid, time by time
    std::array<array, 3> past;  // modes of the last estimates, the newest first
    array modes, weighted, ahead, h_ahead;
    array_of<typename R::backend, double> weight;  // of one image
    std::array<std::vector<double>, 3> lambda;     // by mode, where those estimates were made
    std::array<std::vector<double>, 3> host;       // weights by mode
    std::span<const double> now{}, next{};         // c_i at the ends of the step
    std::size_t known{};
  };

  /// Throws `error` if the modes of C_t change in time, or if its left and right ones differ.
  template <class R>
  scratch<R> start(R& run) const {
    require_standing_modes(run);
    const std::size_t d = run.extent().per_image();
    const std::vector<double> none(d);
    return {parts_at(run, run.grid().start()),
            gains_along(run),
            {run.make(), run.make(), run.make()},
            run.make(),
            run.make(),
            run.make(),
            run.make(),
            run.on().template make<double>(run.extent().with_images(1)),
            {none, none, none},
            {none, none, none},
            {},
            {},
            0};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto& c = run.corruption();
    const std::size_t d = memory.lambda[0].size();
    const std::span<const double> gains{memory.gains};
    memory.now = gains.subspan(at.index * d, d);
    memory.next = gains.subspan((at.index + 1) * d, d);
    const double sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s);
    std::vector<double>& newest = memory.lambda[2];  // takes the place of the oldest
    bool moved = memory.known == 0;
    for (std::size_t i = 0; i < d; ++i) {
      newest[i] = std::log(memory.now[i] / sigma_t);
      moved = moved || !detail::same_half_log_snr(newest[i], memory.lambda[0][i]);
    }
    // On a plateau of the schedule all modes stay the same, and so do the estimates.
    if (moved) {
      std::rotate(memory.past.begin(), memory.past.begin() + 2, memory.past.end());
      std::rotate(memory.lambda.begin(), memory.lambda.begin() + 2, memory.lambda.end());
      memory.known = std::min<std::size_t>(memory.known + 1, Order);
    }
    memory.parts.to_modes(be, const_view_in<R>{h}, memory.past[0].view());

    const double keep = sigma_s == sigma_t ? 1.0 : sigma_s / sigma_t;
    if (Order == 3 && memory.known == 1) {
      // Repeats the first step, now also with the estimate at its end, which is kept in the place of the oldest.
      advance(run, memory, keep, sigma_s, 1, false, x, memory.ahead.view());
      run.estimate(at.s, memory.ahead.view(), memory.h_ahead.view());
      memory.parts.to_modes(be, const_view_in<R>{memory.h_ahead.view()}, memory.past[1].view());
      advance(run, memory, keep, sigma_s, 2, true, x, x);
    } else {
      advance(run, memory, keep, sigma_s, memory.known, false, x, x);
    }
  }

 public:  // for kernels, which can use only public types
  struct multiply {
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t, const T* modes, const double* weight) const {
      return static_cast<T>(weight[p.offset(s)]) * modes[p.offset(s)];
    }
  };

 private:
  template <class R>
  static parts_in<R> parts_at(R& run, diffusion_time t) {
    using operator_type = typename R::corruption_type::operator_type;
    return degradation<operator_type>::svd(run.corruption().linear_operator(), run.corruption().level_at(t),
                                           run.extent());
  }

  // c_i at the time at which each step begins, then at the grid's end; not there if the last step returns h.
  template <class R>
  static std::vector<double> gains_along(R& run) {
    const time_grid& grid = run.grid();
    std::vector<double> all;
    reserve_for(all, "gains along the grid", {grid.steps() + 1, run.extent().per_image()});
    for (std::size_t i = 0; i <= grid.steps(); ++i) {
      if (i == grid.steps() && grid.end().value == 0.0) break;
      const auto parts = parts_at(run, i < grid.steps() ? grid[i].t : grid.end());
      all.insert(all.end(), parts.values().begin(), parts.values().end());
    }
    return all;
  }

  // Writes the weights of the estimates in mode i: the newest `count`, or the newest and that at the end of the step.
  template <class R>
  static void weigh(scratch<R>& memory, std::size_t i, double keep, double sigma_s, std::size_t count, bool to_end) {
    for (auto& each : memory.host) each[i] = 0.0;
    const double gain = memory.next[i], start = memory.lambda[0][i], length = std::log(gain / sigma_s) - start;
    if (gain == 0.0 || length == 0.0) return;
    if (detail::is_jump<typename R::value_type>(length)) {  // no signal at the start, or no noise at an end: order 1
      memory.host[0][i] = gain - keep * memory.now[i];
      return;
    }
    std::array<double, 3> nodes{};
    std::size_t used = 1;
    if (to_end) {
      nodes[1] = 1.0;
      used = 2;
    }
    // A mode that stood still or had no signal yet uses fewer earlier estimates.
    for (; !to_end && used < count; ++used) {
      nodes[used] = (memory.lambda[used][i] - start) / length;
      if (!std::isfinite(nodes[used]) || nodes[used] >= nodes[used - 1]) break;
    }
    const auto weights = detail::multistep_weights(length, std::span<const double>{nodes}.first(used));
    for (std::size_t j = 0; j < used; ++j) memory.host[j][i] = gain * length * weights[j];
  }

  template <class R>
  static void advance(R& run, scratch<R>& memory, double keep, double sigma_s, std::size_t count, bool to_end,
                      const_view_in<R> x, view_in<R> out) {
    using one = term<typename R::value_type, typename R::backend::space>;
    auto& be = run.on();
    const auto modes = memory.modes.view(), weighted = memory.weighted.view();
    for (std::size_t i = 0; i < memory.next.size(); ++i) weigh<R>(memory, i, keep, sigma_s, count, to_end);
    memory.parts.to_modes(be, x, modes);
    for (std::size_t j = 0; j < count; ++j) {
      be.upload(memory.host[j].data(), memory.weight.view());
      be.each_pixel(multiply{}, level{}, const_view_in<R>{memory.past[j].view()}, weighted,
                    view_of<typename R::backend, const double>{memory.weight.view()});
      be.combine(modes, one{j == 0 ? keep : 1.0, modes}, one{1.0, weighted});
    }
    memory.parts.from_modes(be, const_view_in<R>{modes}, out);
  }

  template <class R>
  static void require_standing_modes(R& run) {
    using T = typename R::value_type;
    auto& be = run.on();
    const shape one = run.extent().with_images(1);
    const std::size_t d = one.per_image();
    std::vector<T> host(d), first(d), other(d);
    for (std::size_t i = 0; i < d; ++i) host[i] = static_cast<T>(std::sin(1.0 + 2.3 * static_cast<double>(i)));
    auto probe = be.template make<T>(one), found = be.template make<T>(one);
    be.upload(host.data(), probe.view());
    const const_view_in<R> from = probe.view(), to = found.view();
    const auto compare = [&] {
      be.download(to, other.data());
      double gap = 0.0;
      for (std::size_t i = 0; i < d; ++i)
        gap = (std::max)(gap, std::abs(static_cast<double>(other[i]) - static_cast<double>(first[i])));
      require(gap < 1e-4, "change of the operator's modes, in time or from right to left,", gap,
              "0 for an exponential integrator");
    };
    for (const double t : {0.25, 0.5, 0.75, 1.0}) {
      const auto parts = parts_at(run, diffusion_time{t});
      parts.to_modes(be, from, found.view());
      if (t == 0.25) be.download(to, first.data());
      compare();
      parts.measurement_to_modes(be, from, found.view());
      compare();
    }
  }
};
static_assert(Sampler<exponential_integrator<3>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
