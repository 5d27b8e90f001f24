#pragma once

#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/archetype.hpp>
#include <softscore/sampler/half_log_snr.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// DPM-Solver of order 1, 2 or 3, for C = a I (Lu et al. 2022a, Eq. 3.7, Algorithms 1 and 2 with r_1 = 1/2, and r_1,
/// r_2 = 1/3, 2/3). It integrates the probability flow in lambda = log(a / sigma), with the linear part exact and the
/// noise eps = (x_t - a_t h) / sigma_t as a polynomial. It takes as many evaluations per step as its order, at times
/// between t and s that are these fractions of the step in lambda, and one in the last step. Order 1 is `ddim`. A step
/// that starts without signal or ends without noise, where lambda is infinite, has order 1. So has a step in which
/// sigma / a falls by more than the state's numbers can resolve.
template <int Order = 2>
struct dpm_solver {
  static_assert(Order >= 1 && Order <= 3, "softscore: the order of dpm_solver is 1, 2 or 3");
  static constexpr int order = Order, evaluations_per_step = Order;
  static constexpr bool needs_score = true, needs_scalar_signal = true;

  template <class R>
  struct scratch {
    decltype(std::declval<R&>().make()) first, h_first, second, h_second;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {run.make(), run.make(), run.make(), run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto& c = run.corruption();
    const double sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s), a_t = c.signal_gain(at.t), a_s = c.signal_gain(at.s);
    const double start = detail::half_log_snr(c, at.t), length = detail::lambda_length(c, at);
    if (Order == 1 || detail::is_jump<typename R::value_type>(length) || length == 0.0) {
      const double keep = sigma_s == sigma_t ? 1.0 : sigma_s / sigma_t;
      be.combine(x, term{a_s - keep * a_t, h}, term{keep, x});
      return;
    }
    const auto first = memory.first.view(), h_first = memory.h_first.view();
    const auto second = memory.second.view(), h_second = memory.h_second.view();
    const auto part_at = [&](double part) {
      return detail::time_of_half_log_snr(c, start + part * length, at.t, at.s);
    };
    // x at an earlier time if eps keeps its value at t.
    const auto straight = [&](double a, double sigma, view_in<R> out) {
      be.combine(out, term{a - sigma / sigma_t * a_t, h}, term{sigma / sigma_t, x});
    };
    const double grown = sigma_s * std::expm1(length);
    if constexpr (Order == 2) {
      const diffusion_time middle = part_at(0.5);
      const double a = c.signal_gain(middle), sigma = c.sigma(middle);
      straight(a, sigma, first);
      run.estimate(middle, first, h_first);
      be.combine(x, term{a_s / a_t, x}, term{-grown / sigma, first}, term{grown * a / sigma, h_first});
    } else if constexpr (Order == 3) {
      const diffusion_time one = part_at(1.0 / 3), two = part_at(2.0 / 3);
      const double a_one = c.signal_gain(one), sigma_one = c.sigma(one), a_two = c.signal_gain(two),
                   sigma_two = c.sigma(two);
      straight(a_one, sigma_one, first);
      run.estimate(one, first, h_first);
      // -sigma (r_2 / r_1)((e^y - 1) / y - 1)(eps_1 - eps_t) with y = r_2 H; (e^y - 1) / y - 1 is y times a moment.
      const double y = 2.0 / 3 * length, of_change = 2.0 * sigma_two * y * detail::exponential_moment(1, -y);
      const double of_noise = (of_change - sigma_two * std::expm1(y)) / sigma_t;
      be.combine(second, term{a_two / a_t + of_noise, x}, term{-of_noise * a_t, h}, term{-of_change / sigma_one, first},
                 term{of_change * a_one / sigma_one, h_first});
      run.estimate(two, second, h_second);
      const double change = 1.5 * sigma_s * length * detail::exponential_moment(1, -length);
      const double noise = (change - grown) / sigma_t;
      be.combine(x, term{a_s / a_t + noise, x}, term{-noise * a_t, h}, term{-change / sigma_two, second},
                 term{change * a_two / sigma_two, h_second});
    }
  }
};
static_assert(Sampler<dpm_solver<3>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
