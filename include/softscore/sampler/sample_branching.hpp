#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/denoiser/network_time.hpp>
#include <softscore/denoiser/parameterization.hpp>
#include <softscore/nn/behind_frozen.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/one_evaluation.hpp>
#include <softscore/sampler/sampling_run.hpp>
#include <softscore/sampler/take_step.hpp>

namespace softscore {  // shared

/// The options of `sample_branching`.
struct branching_options {
  std::size_t images{100};  ///< how many to draw: a multiple of the number of classes
  std::uint64_t seed{0};
  double noise{1.0};  ///< of v, the largest share that is added when an image is copied
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Drawn images, the class of each, the number of evaluations behind an image, and how many images the frozen network
/// evaluated in all. After a stop the images that did not exist yet are 0.
template <class T>
struct branching_result {
  row_major_tensor<T> images;
  std::vector<class_label> labels;
  std::size_t nfe{}, evaluated_images{};
  bool stopped{};
};

/// Returns the prime factors of a number, the largest first; 1 has none.
template <class = when_called>
std::vector<std::size_t> prime_factors(std::size_t number) {
  std::vector<std::size_t> factors;
  for (std::size_t k = 2; number > 1; ++k) {
    if (k > number / k) k = number;  // it is prime
    for (; number % k == 0; number /= k) factors.insert(factors.begin(), k);
  }
  return factors;
}

namespace detail {

// The uniform numbers that make copies differ, for the copies from number `first` of the batch on.
struct branching_noise {
  std::uint64_t seed;

  template <class T>
  void operator()(std::size_t step, std::size_t /*copy*/, std::size_t first, std::size_t each,
                  std::span<T> numbers) const {
    const noise_key key{seed, noise_stream::acceptance, static_cast<std::uint32_t>(step)};
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = static_cast<T>(uniform(key, first + i / each, static_cast<std::uint32_t>(i % each)));
  }
};

// y = x (1 + size u) with the numbers u in y.
struct spread_body {
  double size;
  template <class T>
  SOFTSCORE_HD void operator()(T& y, const T& x) const {
    y = x + x * (static_cast<T>(size) * y);
  }
};

// A corruption in the form from which a network's time is computed.
template <class C>
struct of_corruption {
  const C& from;
  const C& corruption() const { return from; }
};

// Takes the denoiser's place in a sampler's run whose estimates come from elsewhere.
struct no_denoiser {
  static constexpr int evaluations = 1;
  struct memory {};
  template <class T, class Be>
  memory workspace(Be&, const shape&) const {
    return {};
  }
  template <class Be, class T>
  void estimate(Be&, const condition&, view_of<Be, const T>, view_of<Be, T>, memory&) const {}
};

}  // namespace detail

/// Draws images of all classes from one start (Ng et al. n.d., Section 4.2, version 2): the frozen network, which sees
/// no labels, evaluates few images while there are few. It predicts the velocity v. Step 0 makes one image of each
/// class with the added network. Each of the next steps multiplies the images by the next prime factor of images /
/// classes, the largest first: one copy keeps v, and the others take added(v (1 + noise u)) with u uniform in [0, 1).
/// In the following steps up to N / 2, every v passes through the added network; in later steps none does. Copy j of
/// image i, out of n images, becomes image j n + i, and from then on draws its own noise. The sampler must take one
/// estimate per step and keep nothing between steps, as `ddim` does. The observer sees each step after its images were
/// added. Throws `error` for a number of images that is not a multiple of the classes, for more factors than there are
/// steps after the first, for noise that is not finite, and unless a^2 + sigma^2 = 1.
template <class T = float, class Be, class S, class C, class Frozen, class Added, class Observer = no_observer,
          class Draw = detail::branching_noise>
branching_result<T> sample_branching(Be& be, const S& sampler, const C& corruption,
                                     const behind_frozen<Frozen, Added>& net, const time_grid& grid,
                                     const branching_options& options = {}, Observer&& observer = {},
                                     std::optional<Draw> given = std::nullopt) {
  static_assert(
      std::is_base_of_v<one_evaluation<S>, S>,
      "softscore: a run that branches needs a sampler that takes one estimate a step and keeps nothing between "
      "steps, such as ddim");
  using constant = view_of<Be, const T>;
  using time_type = typename Frozen::time_type;
  const std::size_t classes = net.label_count(), steps = grid.steps();
  require(classes >= 1, "the number of classes of the added network", classes, "at least 1");
  require(options.images >= classes && options.images % classes == 0, "images", options.images,
          "a multiple of the number of classes, " + detail::shown(classes));
  require(std::isfinite(options.noise) && options.noise >= 0, "noise", options.noise, "finite and at least 0");
  const std::vector<std::size_t> factors = prime_factors(options.images / classes);
  require(factors.size() < steps, "number of steps", steps,
          "above the number of prime factors of images / classes, " + detail::shown(factors.size()));
  const velocity_parameterization<C> of_velocity{corruption};
  for (std::size_t i = 0; i < steps; ++i) static_cast<void>(of_velocity.weights(grid[i].t));
  detail::require_falling_noise<S, T>(corruption, grid);
  Draw draw = [&] {
    if constexpr (std::is_same_v<Draw, detail::branching_noise>) {
      return given.value_or(Draw{options.seed});
    } else {
      require(given.has_value(), "what draws the numbers of copies", "missing", "given where its type is");
      return *given;
    }
  }();

  const shape image = net.image(), most = image.with_images(options.images);
  const std::size_t each = image.per_image();
  auto all_x = be.template make<T>(most), all_v = be.template make<T>(most), all_h = be.template make<T>(most),
       work = be.template make<T>(most), xi = be.template make<T>(most);
  auto frozen = net.frozen().template workspace<T>(be, most);
  auto added = net.added().template workspace<T>(be, most);
  const auto start = draw_start<T>(be, corruption, grid, image, image_range{0, 1}, options.seed);
  be.combine(all_x.view().images(0, 1), term{1.0, constant{start.x.view()}});
  std::vector<T> numbers(most.size());
  branching_result<T> result;
  result.labels.assign(options.images, no_class);
  std::size_t count = 1;
  // Sets the v of `images` images, from number `first` on, from what `work` holds for them.
  const auto add = [&](double t, std::size_t first, std::size_t images) {
    const conditioning known{.labels = std::span<const class_label>{result.labels}.subspan(first, images)};
    net.added().evaluate(be, network_input<time_type>{time_type{t}, known}, constant{work.view().images(first, images)},
                         all_v.view().images(first, images), added);
  };
  const auto copy = [&](auto& array, std::size_t from, std::size_t to, std::size_t images) {
    be.combine(array.view().images(to, images), term{1.0, constant{array.view().images(from, images)}});
  };

  using run_type = sampling_run<Be, C, detail::no_denoiser, T>;
  const detail::no_denoiser elsewhere;
  std::optional<run_type> run;
  std::optional<decltype(sampler.start(*run))> state;
  for (std::size_t i = 0; i < steps; ++i) {
    const step_at at = grid[i];
    const double t = network_time(net.frozen(), detail::of_corruption<C>{corruption}, at.t).value;
    net.frozen().evaluate(be, network_input<time_type>{time_type{t}}, constant{all_x.view().images(0, count)},
                          all_v.view().images(0, count), frozen);
    result.evaluated_images += count;
    ++result.nfe;
    const std::size_t before = count;
    if (i == 0) {
      for (std::size_t k = 0; k < classes; ++k) {
        result.labels[k] = static_cast<class_label>(k);
        be.combine(work.view().images(k, 1), term{1.0, constant{all_v.view().images(0, 1)}});
        if (k > 0) copy(all_x, 0, k, 1);
      }
      count = classes;
      add(t, 0, count);
    } else if (i <= factors.size()) {
      for (std::size_t j = 1; j < factors[i - 1]; ++j) {
        const std::size_t first = j * before;
        std::copy_n(result.labels.begin(), before, result.labels.begin() + static_cast<std::ptrdiff_t>(first));
        const std::span<T> u{numbers.data(), before * each};
        draw(i, j, first, each, u);
        const view_of<Be, T> to = work.view().images(first, before);
        be.upload(u.data(), to);
        be.for_each(detail::spread_body{options.noise}, to, constant{all_v.view().images(0, before)});
        add(t, first, before);
        copy(all_x, 0, first, before);
      }
      count = before * factors[i - 1];
    } else if (i <= steps / 2) {
      be.combine(work.view().images(0, count), term{1.0, constant{all_v.view().images(0, count)}});
      add(t, 0, count);
    }
    const view_of<Be, T> x = all_x.view().images(0, count), h = all_h.view().images(0, count);
    const parameterization_weights weights = of_velocity.weights(at.t);
    be.combine(h, term{weights.of_input, constant{x}},
               term{weights.of_output, constant{all_v.view().images(0, count)}});
    result.stopped = !detail::goes_on(observer, sampling_progress<Be, T>{be, at, x, h, result.nfe, 0, options.images});
    if (result.stopped) break;
    if (count != before || !run) {
      state.reset();
      run.emplace(be, corruption, elsewhere, image.with_images(count), options.seed, image_range{0, count},
                  constant{xi.view().images(0, count)}, &grid);
      state.emplace(sampler.start(*run));
    }
    take_step(sampler, *run, *state, at, x, h);
    if constexpr (GathersWork<Be>) be.flush();
  }
  detail::require_finite_result<Be, T>(be, constant{all_x.view().images(0, count)}, image_range{0, count});
  result.images = make_tensor<T>(most);
  std::fill_n(result.images.data(), result.images.size(), T{});
  be.download(constant{all_x.view().images(0, count)}, result.images.data());
  return result;
}

}  // namespace softscore::inline SOFTSCORE_ABI
