#pragma once

#include <algorithm>
#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/ddpm.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Takes the place of a function: u comes from the denoiser. A network's u has no bounds, neither in training nor here.
struct learned_share {};

/// DDPM's ancestral sampler with a variance between its two, for C = a I (Nichol and Dhariwal 2021, Eq. 15): log
/// variance = u log beta + (1 - u) log btilde, u in [0, 1]. `interpolation` is a function of the time that returns u,
/// or one that is called with (backend, time, x, h, out) and stores a u for every element into `out`, for example from
/// a network. `learned_ddpm{}` takes the u that the denoiser's network learned (`learned_variance_denoiser`).
template <class Interpolation = learned_share>
struct learned_ddpm {
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true, needs_scalar_signal = true,
                        needs_learned_variance = std::same_as<Interpolation, learned_share>;

  Interpolation interpolation;

  learned_ddpm() = default;
  explicit learned_ddpm(Interpolation u) : interpolation{std::move(u)} {}

  template <class R>
  struct scratch {
    decltype(std::declval<R&>().make()) u, noise;
  };

  template <class R>
  scratch<R> start(R& run) const {
    return {run.make(), run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto& c = run.corruption();
    const double most = ddpm{ancestral_variance::fixed_large}.weights(c, at).add;
    const auto [keep, least] = ddpm{ancestral_variance::fixed_small}.weights(c, at);
    const double of_h = c.signal_gain(at.s) - keep * c.signal_gain(at.t);
    const auto noise = memory.noise.view();
    run.normal(at, noise);
    if constexpr (std::is_invocable_r_v<double, const Interpolation&, diffusion_time>) {
      const double u = interpolation(at.t);
      require(u >= 0.0 && u <= 1.0, "interpolation of the variance", u, "between 0 and 1");
      be.combine(x, term{of_h, h}, term{keep, x}, term{std::pow(most, u) * std::pow(least, 1.0 - u), noise});
    } else {
      if constexpr (needs_learned_variance)
        run.variance_share(at.t, memory.u.view());
      else
        interpolation(be, at.t, const_view_in<R>{x}, const_view_in<R>{h}, memory.u.view());
      // The logarithm is kept finite, so that 0 to the power of 0 is 1 if no noise is left at s.
      const double log_ratio =
          most > 0.0 ? (std::max)(std::log(least / most), std::numeric_limits<double>::lowest()) : 0.0;
      be.for_each(spread{most, log_ratio}, noise, const_view_in<R>{memory.u.view()});
      be.combine(x, term{of_h, h}, term{keep, x}, term{1.0, noise});
    }
  }

 public:  // for kernels, which can use only public types
  // Multiplies a normal number by the standard deviation large^u small^(1 - u).
  struct spread {
    double large, log_ratio;
    template <class T>
    SOFTSCORE_HD void operator()(T& z, const T& u) const {
      z *= static_cast<T>(large * std::exp((1.0 - static_cast<double>(u)) * log_ratio));
    }
  };
};
static_assert(Sampler<learned_ddpm<>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
