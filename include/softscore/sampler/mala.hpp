#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/langevin.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The Metropolis-adjusted Langevin algorithm (Roberts and Tweedie 1996). It proposes y = x + q score(x) + sqrt(2 q) z
/// and accepts it with probability min(1, p(y) / p(x) exp((|y - x - q score(x)|^2 - |x - y - q score(y)|^2) / (4 q))),
/// each image independently. It leaves the distribution of x_t at the current time unchanged, for any q. It needs a
/// denoiser that knows the density of x_t; the grid is that of `ula`. Two evaluations per step, one in the last.
struct mala {
  static constexpr int order = 1, evaluations_per_step = 2;
  static constexpr bool needs_score = true, needs_density = true;

  double length{};  ///< q, in squared units of the image

  /// Throws `error` unless `step_length` is above 0 and finite.
  explicit mala(double step_length) : length{step_length} {
    require(length > 0.0 && std::isfinite(length), "length", length, "above 0 and finite");
  }

  template <class R>
  struct scratch {
    detail::langevin_step<R> langevin;
    decltype(std::declval<R&>().make()) proposed, h, back;
    std::vector<double> probability, chance, here, there, taken, left;  // of the last step, by image
  };

  template <class R>
  scratch<R> start(R& run) const {
    const std::vector<double> none(run.extent().images);
    return {detail::langevin_step<R>{run}, run.make(), run.make(), run.make(), none, none, none, none, none, none};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    auto& langevin = memory.langevin;
    const double sigma = run.corruption().sigma(at.t), pull = length / (sigma * sigma);
    if (sigma == 0.0) {
      be.combine(x, term{1.0, h});
      return;
    }
    const auto proposed = memory.proposed.view(), back = memory.back.view();
    for (double& q : langevin.length) q = length;
    langevin.find_pull(run, at.t, x, h);
    run.normal(at, langevin.noise.view());
    langevin.move(run, sigma, x, proposed);
    // |y - x - q score(x)|^2 / (4 q) is |z|^2 / 2.
    square(run, langevin.noise.view(), memory.probability, 0.5);
    run.log_density(at.t, x, memory.here.data());
    run.log_density(at.t, proposed, memory.there.data());
    run.estimate(at.t, proposed, memory.h.view());
    langevin.find_pull(run, at.t, proposed, memory.h.view());
    be.combine(back, term{1.0, x}, term{-1.0, proposed}, term{-pull, langevin.pull.view()});
    square(run, back, memory.chance, 0.25 / length);
    for (std::size_t i = 0; i < memory.probability.size(); ++i)
      memory.probability[i] =
          (std::min)(1.0, std::exp(memory.there[i] - memory.here[i] + memory.probability[i] - memory.chance[i]));
    run.uniform(at, memory.chance.data());
    for (std::size_t i = 0; i < memory.probability.size(); ++i) {
      memory.taken[i] = memory.chance[i] < memory.probability[i] ? 1.0 : 0.0;
      memory.left[i] = 1.0 - memory.taken[i];
    }
    be.combine(x, term{each_of(memory.left), x}, term{each_of(memory.taken), proposed});
  }

 private:
  template <class R>
  static void square(R& run, const_view_in<R> v, std::vector<double>& out, double factor) {
    run.on().dot(v, v, out.data());
    for (double& each : out) each *= factor;
  }
};
static_assert(Sampler<mala, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
