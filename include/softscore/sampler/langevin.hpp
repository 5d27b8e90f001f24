#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/sampler/archetype.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// A step of Langevin's dynamics on the distribution of x_t, x += q score + sqrt(2 q) z, with a length q for each image.
template <class R>
struct langevin_step {
  decltype(std::declval<R&>().make()) pull, noise;
  std::vector<double> length, of_pull, of_noise, squares;

  explicit langevin_step(R& run)
      : pull{run.make()},
        noise{run.make()},
        length(run.extent().images),
        of_pull(length.size()),
        of_noise(length.size()),
        squares(length.size()) {}

  // Stores sigma_t^2 score = C_t h - x into `pull`.
  void find_pull(R& run, diffusion_time t, const_view_in<R> x, const_view_in<R> h) {
    using one = term<typename R::value_type, typename R::backend::space>;
    run.signal(t, h, noise.view());
    run.on().combine(pull.view(), one{1.0, noise.view()}, one{-1.0, x});
  }

  // Moves x by `pull`, with fresh numbers in `noise` and the step lengths in `length`.
  void move(R& run, double sigma, const_view_in<R> x, view_in<R> out) {
    using one = term<typename R::value_type, typename R::backend::space>;
    for (std::size_t i = 0; i < length.size(); ++i) {
      of_pull[i] = length[i] / (sigma * sigma);
      of_noise[i] = std::sqrt(2.0 * length[i]);
    }
    run.on().combine(out, one{1.0, x}, one{each_of(of_pull), pull.view()}, one{each_of(of_noise), noise.view()});
  }
};

}  // namespace detail

/// The unadjusted Langevin algorithm (Galerne 2024; Kim and Lee 2024, Eq. 44 with eta = 2 q): x += q score(x_t, t) +
/// sqrt(2 q) z. It draws from the distribution of x_t at the current time, so a grid that hardly moves gives a chain at
/// one level. The step from t to s changes nothing else, and the last one returns h. For every q > 0 it is biased: on
/// N(0, v) its variance tends to v / (1 - q / (2 v)).
struct ula {
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true;

  double length{};  ///< q, in squared units of the image

  /// Throws `error` unless `step_length` is above 0 and finite.
  explicit ula(double step_length) : length{step_length} {
    require(length > 0.0 && std::isfinite(length), "length", length, "above 0 and finite");
  }

  template <class R>
  detail::langevin_step<R> start(R& run) const {
    return detail::langevin_step<R>{run};
  }

  template <class R>
  void step(R& run, detail::langevin_step<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    const double sigma = run.corruption().sigma(at.t);
    if (sigma == 0.0) {
      run.on().combine(x, term{1.0, h});
      return;
    }
    for (double& q : memory.length) q = length;
    memory.find_pull(run, at.t, x, h);
    run.normal(at, memory.noise.view());
    memory.move(run, sigma, x, x);
  }
};
static_assert(Sampler<ula, archetype_run>);

/// Annealed Langevin dynamics (Song and Ermon 2019, Algorithm 1): at each time of the grid it takes `Steps` steps of
/// `ula` with q = `share` sigma_t^2, and then continues at the next time with the same x. `share` is the paper's
/// epsilon / (2 sigma_L^2), which is 0.1 in its experiments. `Steps` evaluations per step, one in the last, which
/// returns h.
template <int Steps = 1>
struct annealed_langevin {
  static_assert(Steps >= 1, "softscore: annealed_langevin takes at least one step at each time");
  static constexpr int order = 1, evaluations_per_step = Steps;
  static constexpr std::size_t draws_per_step = Steps;
  static constexpr bool needs_score = true;

  double share{0.1};

  annealed_langevin() = default;
  /// Throws `error` unless 0 < share < 2: from 2 on the chain diverges.
  explicit annealed_langevin(double of_variance) : share{of_variance} {
    require(share > 0.0 && share < 2.0, "share", share, "above 0 and below 2");
  }

  template <class R>
  struct scratch {
    detail::langevin_step<R> langevin;
    decltype(std::declval<R&>().make()) h;
  };

  template <class R>
  scratch<R> start(R& run) const {
    // Here and not in the class: if it failed there, the compiler would report more than this sentence.
    static_assert(
        Steps <= static_cast<int>(noise_key::draws),
        "softscore: annealed_langevin takes at most 256 steps at each time, since more would draw the same noise "
        "again; put more times into the grid");
    return {detail::langevin_step<R>{run}, run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    const double sigma = run.corruption().sigma(at.t);
    if (sigma == 0.0) {
      run.on().combine(x, term{1.0, h});
      return;
    }
    auto& langevin = memory.langevin;
    for (double& q : langevin.length) q = share * sigma * sigma;
    for (int k = 0; k < Steps; ++k) {
      if (k > 0) run.estimate(at.t, x, memory.h.view());
      langevin.find_pull(run, at.t, x, k > 0 ? memory.h.view() : h);
      run.normal(at, langevin.noise.view(), static_cast<std::size_t>(k));
      langevin.move(run, sigma, x, x);
    }
  }
};
static_assert(Sampler<annealed_langevin<3>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
