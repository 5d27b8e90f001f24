#pragma once

#include <cstddef>
#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/sampler/langevin.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/take_step.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Langevin steps that all have the length q, in squared units of the image.
struct fixed_length {
  double length{};
  static constexpr bool looks = false;

  /// Throws `error` unless `step_length` is above 0 and finite.
  explicit fixed_length(double step_length) : length{step_length} {
    require(length > 0.0 && std::isfinite(length), "length", length, "above 0 and finite");
  }
  double operator()(double, double, double) const { return length; }
};

/// Langevin steps whose length follows from a signal-to-noise ratio: q = 2 alpha (snr |z| / |score|)^2, image by image,
/// with alpha = (a_t / a_s)^2 if the signal is a number times the image and 1 otherwise (Song et al. 2021, Algorithms 2
/// and 3; their code averages the norms over a batch, so that images depend on each other). 0.16 and 0.17 are common.
struct snr_length {
  double snr{0.16};
  static constexpr bool looks = true;

  snr_length() = default;
  /// Throws `error` unless `ratio` is above 0 and finite.
  explicit snr_length(double ratio) : snr{ratio} {
    require(snr > 0.0 && std::isfinite(snr), "snr", snr, "above 0 and finite");
  }

  double operator()(double alpha, double noise_square, double score_square) const {
    return score_square == 0.0 ? 0.0 : 2.0 * alpha * snr * snr * noise_square / score_square;
  }
};

namespace detail {
template <class S>
constexpr std::size_t draws_per_step() {
  if constexpr (StatesDraws<S>)
    return S::draws_per_step;
  else
    return 1;
}
}  // namespace detail

/// Predictor and corrector (Song et al. 2021, Algorithms 2 and 3): a step of `Predictor`, then `Correctors` Langevin
/// steps on the distribution of x_s, each with its own evaluation. `reverse_diffusion` as predictor gives the VE and VP
/// forms of the paper; `momentum` accepts every corruption with a score. The last step is the predictor's and returns
/// h. Its limit for many steps has the bias of its Langevin steps.
template <class Predictor = momentum, class Length = snr_length, int Correctors = 1>
struct predictor_corrector {
  static_assert(Correctors >= 1, "softscore: predictor_corrector takes at least one corrector");
  static constexpr int order = Predictor::order, evaluations_per_step = Predictor::evaluations_per_step + Correctors;
  static constexpr std::size_t draws_per_step = detail::draws_per_step<Predictor>() + Correctors;
  static constexpr bool needs_score = true, divides_by_gain = DividesByGain<Predictor>,
                        handles_last_step = HandlesLastStep<Predictor>;
  using steps_by = Predictor;

  Predictor predictor{};
  Length length{};

  predictor_corrector() = default;
  explicit predictor_corrector(Predictor first, Length then = {})
      : predictor{std::move(first)}, length{std::move(then)} {}

  template <class R>
  struct scratch {
    decltype(std::declval<const Predictor&>().start(std::declval<R&>())) of_predictor;
    detail::langevin_step<R> langevin;
    decltype(std::declval<R&>().make()) h;
  };

  template <class R>
  scratch<R> start(R& run) const {
    // Here and not in the class: if it failed there, the compiler would report more than this sentence.
    static_assert(draws_per_step <= noise_key::draws,
                  "softscore: predictor_corrector draws noise at most 256 times in a step, for the predictor and each "
                  "corrector, since more would draw the same noise again; put more times into the grid");
    return {predictor.start(run), detail::langevin_step<R>{run}, run.make()};
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    take_step(predictor, run, memory.of_predictor, at, x, h);
    const auto& c = run.corruption();
    const double sigma = c.sigma(at.s);
    if (at.last() || sigma == 0.0) return;
    double alpha = 1.0;
    if constexpr (Meets<R, needs::scalar_signal>) alpha = std::pow(gain_ratio(c, at), 2);
    auto& langevin = memory.langevin;
    for (int k = 0; k < Correctors; ++k) {
      run.estimate(at.s, x, memory.h.view());
      langevin.find_pull(run, at.s, x, memory.h.view());
      run.normal(at, langevin.noise.view(), draws_per_step - Correctors + static_cast<std::size_t>(k));
      find_lengths(run, langevin, alpha, sigma);
      langevin.move(run, sigma, x, x);
    }
  }

 private:
  template <class R>
  void find_lengths(R& run, detail::langevin_step<R>& langevin, double alpha, double sigma) const {
    if constexpr (Length::looks) {
      const const_view_in<R> pull = langevin.pull.view(), noise = langevin.noise.view();
      run.on().dot(pull, pull, langevin.squares.data());
      run.on().dot(noise, noise, langevin.length.data());
    }
    for (std::size_t i = 0; i < langevin.length.size(); ++i)
      langevin.length[i] = length(alpha, langevin.length[i], langevin.squares[i] / std::pow(sigma, 4));
  }
};
template <class Predictor, class Length>
predictor_corrector(Predictor, Length) -> predictor_corrector<Predictor, Length>;
static_assert(Sampler<predictor_corrector<>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
