#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/sampler/argument_order.hpp>
#include <softscore/sampler/concept.hpp>
#include <softscore/sampler/sampling_run.hpp>
#include <softscore/sampler/take_step.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The start of sampling: x at the grid's first time, the xi in it, which images of the run these are, and what is
/// known about them, in host memory that outlives the run.
template <class Be, class T>
struct start_point {
  array_of<Be, T> x, xi;
  image_range images{};
  conditioning given{};
};

/// What an observer receives at every step: the step, x before it, the estimate h at x, the evaluations spent so far on
/// an image of this batch, and the batch's position among all images that are drawn.
template <class Be, class T>
struct sampling_progress {
  Be& backend;
  step_at at;
  view_of<Be, const T> x, h;
  std::size_t nfe{};
  std::size_t done{};    ///< images of the batches before this one
  std::size_t images{};  ///< images drawn in all
};

/// Does nothing. An observer is called with a `sampling_progress` before every step. If it returns false the run stops,
/// and the result is x at that moment.
struct no_observer {
  template <class Progress>
  void operator()(const Progress&) const {}
};

/// The images at the grid's last time, the denoiser evaluations spent on each, and whether an observer stopped the run.
template <class Be, class T>
struct integrate_result {
  array_of<Be, T> x;
  std::size_t nfe{};
  bool stopped{};
};

namespace detail {
template <class Observer, class Progress>
bool goes_on(Observer& observer, const Progress& progress) {
  constexpr bool observes = std::invocable<Observer&, const Progress&>;
  static_assert(observes, "softscore: the observer of a run cannot be called with a sampling_progress");
  if constexpr (!observes)
    return true;
  else if constexpr (std::convertible_to<std::invoke_result_t<Observer&, const Progress&>, bool>)
    return static_cast<bool>(observer(progress));
  else
    return observer(progress), true;
}

// One sentence for the first argument that does not fit, and one for each unmet need.
template <class Be, class S, class C, class D, class T>
constexpr bool parts_fit() {
  static_assert(Backend<Be, T>, "softscore: the first argument is not a backend for this element type");
  if constexpr (!Backend<Be, T>) {
    return false;
  } else if constexpr (!in_order<Be, S, C, D, T>()) {
    return false;
  } else if constexpr (!Corruption<C, Be, T> || !Denoiser<D, Be, T>) {
    static_assert(Corruption<C, Be, T>, "softscore: this type is not a corruption on this backend");
    static_assert(!Corruption<C, Be, T> || Denoiser<D, Be, T>,
                  "softscore: this type is not a denoiser on this backend");
    return false;
  } else {
    using run_type = sampling_run<Be, C, D, T>;
    require_needs<S, run_type>(needs::all{});
    constexpr bool met = NeedsAreMet<S, run_type>, steps = met && Sampler<S, run_type>;
    static_assert(!met || steps, "softscore: this type is not a sampler: it lacks order, start or step");
    return steps;
  }
}

// A noise that rises while time falls would lead to the root of a negative number in the middle of a run, and a level
// that is NaN would spread without a message. A level may be infinite if that only means a signal of gain 0. The
// sampler must then either need no slope, or one that is finite without dividing by the gain.
template <class S, class T, class C>
void require_falling_noise(const C& corruption, const time_grid& grid) {
  if constexpr (requires { corruption.level_at(grid.start()).value; }) {
    for (std::size_t i = 0; i <= grid.steps(); ++i) {
      const diffusion_time t = i < grid.steps() ? grid[i].t : grid.end();
      const double at = corruption.level_at(t).value;
      bool sound = std::isfinite(at);
      if constexpr (ScalarSignal<C> && !Needs<S, needs::derivative>)
        sound = sound || std::isfinite(corruption.signal_gain(t));
      else if constexpr (DifferentiableScalarSignal<C> && !DividesByGain<S>)
        sound = sound || std::isfinite(corruption.signal_gain_rate(t));
      require(sound, "level at a time of the grid", at, "finite");
    }
  }
  if constexpr (HasSigma<C>) {
    for (std::size_t i = 0; i < grid.steps(); ++i) {
      const double sigma_t = corruption.sigma(grid[i].t), sigma_s = corruption.sigma(grid[i].s);
      require(sigma_s >= 0.0 && sigma_s <= sigma_t, "sigma at an earlier time of the grid", sigma_s,
              "between 0 and the sigma of the time after it");
      // Steps and scores divide by powers of sigma.
      require(sigma_t == 0.0 || sigma_t >= 1e-75, "sigma at a time of the grid", sigma_t, "0 or at least 1e-75");
      require(sigma_t <= static_cast<double>((std::numeric_limits<T>::max)()), "sigma at a time of the grid", sigma_t,
              "a number of the state's type");
    }
  }
}
// Bad numbers in the start point would spread over whole images, and those in a result would go unnoticed. The sum of
// squares of an image detects them; if it overflows in double, the numbers themselves decide.
template <class Be, class T, class Name>
void require_finite(Be& be, view_of<Be, const T> x, const Name& name) {
  std::vector<double> squares(x.extent().images);
  be.dot(x, x, squares.data());
  for (std::size_t i = 0; i < squares.size(); ++i) {
    if (std::isfinite(squares[i])) continue;
    std::vector<T> host(x.extent().per_image());
    be.download(x.images(i, 1), host.data());
    for (const T value : host)
      if (!std::isfinite(value)) reject(name(i), std::abs(value), "finite");
  }
}
template <class Be, class T>
void require_finite_result(Be& be, view_of<Be, const T> x, const image_range& images) {
  require_finite<Be, T>(
      be, x, [&](std::size_t i) { return "size of a pixel in image " + shown(images.first + i) + " of the run"; });
}
}  // namespace detail

/// Runs a sampler from `from` along the grid. T is the precision of the state. The result depends on the seed and on
/// the numbers of the images, not on how they are batched. Before the first step it throws `error` if the noise rises
/// along the grid; if the grid is too short for the sampler; if the start point holds other images than it says or the
/// denoiser accepts; if labels or other conditions are not one per image or not accepted by the denoiser; and for
/// numbers that are not finite. After the last step it throws if an image is not finite, and names the image.
template <class Be, class S, class C, class D, class T, class Observer = no_observer>
integrate_result<Be, T> integrate(Be& be, const S& sampler, const C& corruption, const D& denoiser,
                                  const time_grid& grid, start_point<Be, T> from, std::uint64_t seed,
                                  Observer&& observer = {}) {
  if constexpr (detail::parts_fit<Be, S, C, D, T>()) {
    detail::require_falling_noise<S, T>(corruption, grid);
    if constexpr (StatesLeastSteps<S>)
      require(grid.steps() >= S::least_steps, "number of steps", grid.steps(),
              "at least " + std::to_string(S::least_steps) + " for this sampler");
    if constexpr (ChecksGrid<S>) sampler.check(grid);
    if constexpr (ChecksTimes<D>)
      for (std::size_t i = 0; i < grid.steps(); ++i) denoiser.check(grid[i].t);
    const auto x = from.x.view();
    require(x.extent().images == from.images.count && from.xi.view().extent() == x.extent(),
            "images of the start point", from.images.count, "the images in its x and its xi");
    require(from.images.first <= image_range::most - from.images.count, "number of the first image", from.images.first,
            "so low that all are below 2^48");
    require_one_per_image(from.given, x.extent());
    if constexpr (KnowsImage<D> && !TakesAnySize<D>)
      require(x.extent().with_images(1) == denoiser.image().with_images(1), "shape of the start point's x", x.extent(),
              "that of the denoiser's images");
    if constexpr (ChecksBatch<D>) denoiser.check(from.given, x.extent());
    detail::require_finite<Be, T>(be, x, [](std::size_t) { return "size of x in the start point"; });
    // If xi is noise, no sampler may read it.
    if constexpr (BackgroundCorruption<C>)
      detail::require_finite<Be, T>(be, from.xi.view(), [](std::size_t) { return "size of xi in the start point"; });
    sampling_run<Be, C, D, T> run{be,          corruption,     denoiser, x.extent(), seed,
                                  from.images, from.xi.view(), &grid,    from.given};
    auto state = sampler.start(run);
    auto estimate = run.make();
    const auto h = estimate.view();
    bool stopped = false;
    for (std::size_t i = 0; i < grid.steps(); ++i) {
      const step_at at = grid[i];
      run.estimate(at.t, x, h);
      stopped = !detail::goes_on(observer, sampling_progress<Be, T>{be, at, x, h, run.nfe(), 0, x.extent().images});
      if (stopped) break;
      take_step(sampler, run, state, at, x, h);
      if constexpr (GathersWork<Be>) be.flush();
    }
    detail::require_finite_result<Be, T>(be, x, from.images);
    return {std::move(from.x), run.nfe(), stopped};
  } else {
    return {std::move(from.x), 0, false};
  }
}

/// Draws x at the grid's first time from the corruption's own prior, for images from `images.first` on. `given` is what
/// is known about them.
template <class T, class Be, class C>
start_point<Be, T> draw_start(Be& be, const C& corruption, const time_grid& grid, shape image, image_range images,
                              std::uint64_t seed, const conditioning& given = {}) {
  start_point<Be, T> from{be.template make<T>(image.with_images(images.count)),
                          be.template make<T>(image.with_images(images.count)), images, given};
  corruption.start(be, grid.start(), seed, images, from.x.view(), from.xi.view());
  return from;
}

}  // namespace softscore::inline SOFTSCORE_ABI
