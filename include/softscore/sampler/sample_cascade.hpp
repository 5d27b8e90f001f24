#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/add_noise.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/operator/bicubic_resize.hpp>
#include <softscore/sampler/sample.hpp>

namespace softscore {  // shared

/// Options of `sample_cascade`: those of `sample` that all stages share.
struct cascade_options {
  std::size_t images{64};             ///< how many to draw
  std::uint64_t seed{0};              ///< stage k, from 0 on, draws with seed + k 2^40
  std::uint64_t first{0};             ///< number of the first image
  std::size_t batch_size{64};         ///< images that go through a network together; the result does not depend on it
  std::vector<class_label> labels{};  ///< the class of each image, or one for all
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// One stage of a cascade: what draws images of one size. The corruption and the denoiser must outlive it. The images
/// of the stage before, enlarged by the cubic kernel, get noise of deviation `beside_noise`, lie beside x, and their
/// network sees this deviation as its feature, as `training_options::beside_noise` trained it (noise conditioning
/// augmentation: Ho et al. 2022, Section 4.2). Give the deviation exactly if the network was trained that way.
template <class S, class C, class D>
struct cascade_stage {
  S sampler;
  const C& corruption;
  const D& denoiser;
  time_grid grid;
  shape image;                           ///< of one image
  std::optional<double> beside_noise{};  ///< in the range of the images
  bool takes_labels{true};               ///< whether its network is given the labels
};
template <class S, class C, class D, class... Rest>
cascade_stage(S, const C&, const D&, time_grid, shape, Rest...) -> cascade_stage<S, C, D>;

/// The images of each stage that is done, in the range that its network draws, and the evaluations spent on an image by
/// each. Start with `{}`, or with what an earlier call left, or was saved of it: these stages are not drawn again.
struct cascade_state {
  std::vector<image_batch> images{};
  std::vector<std::size_t> nfe{};
};

namespace detail {

template <class Stage>
inline constexpr bool is_cascade_stage = false;
template <class S, class C, class D>
inline constexpr bool is_cascade_stage<cascade_stage<S, C, D>> = true;

// What of the options a stage's network takes, and what of the stage before.
template <class Stage>
sample_options options_of_stage(const Stage& stage, std::size_t number, const cascade_options& all) {
  sample_options options{.images = all.images,
                         .seed = all.seed + (std::uint64_t{number} << 40),
                         .first = all.first,
                         .batch_size = all.batch_size,
                         .image = stage.image.with_images(1)};
  if (stage.takes_labels) options.labels = all.labels;
  return options;
}

// Draws stage `number` and adds its images to `state`. Returns whether an observer stopped it; then nothing is added.
template <class Be, class Stage, class Observer>
bool draw_stage(Be& be, const Stage& stage, std::size_t number, const cascade_options& all, cascade_state& state,
                Observer& observer) {
  sample_options options = options_of_stage(stage, number, all);
  image_batch beside = make_tensor<float>({0, 0, 0, 0});
  std::vector<float> deviations;
  if (number > 0) {
    beside = bicubic_resize(as_view(state.images[number - 1]), stage.image.height, stage.image.width);
    const shape extent = extent_of(beside);
    options.given.image = as_view(beside);
    if (stage.beside_noise) {
      const auto deviation = static_cast<float>(*stage.beside_noise);
      const noise_key key{options.seed, noise_stream::beside, 0, 0};
      for (std::size_t i = 0; i < all.images; ++i)
        add_noise(key, all.first + i, deviation, {beside.data() + i * extent.per_image(), extent.per_image()});
      deviations.assign(all.images, deviation);
      options.given.features = view<const float, host_space>{deviations.data(), {all.images, 1, 1, 1}};
    }
  }
  auto drawn = sample(be, stage.sampler, stage.corruption, stage.denoiser, stage.grid, options, observer);
  if (drawn.stopped) return true;
  state.images.push_back(std::move(drawn.images));
  state.nfe.push_back(drawn.nfe);
  return false;
}

// Throws `error` for a stage that cannot follow the one before, whose images are `before`, or for a state of another
// run.
template <class Stage>
void check_stage(const Stage& stage, std::size_t number, const shape& before, const cascade_options& all,
                 const cascade_state& state) {
  const std::string name = "stage " + shown(number);
  require(stage.image.per_image() >= 1, name + ": image", stage.image.with_images(1), "of at least one element");
  if (stage.beside_noise) {
    require(number > 0, name + ": beside_noise", *stage.beside_noise, "missing, because no stage precedes it");
    require(*stage.beside_noise >= 0.0 && *stage.beside_noise <= 1e6, name + ": beside_noise", *stage.beside_noise,
            "between 0 and 1e6");
  }
  // What the network will see, in place of images that are not drawn yet.
  sample_options options = options_of_stage(stage, number, all);
  image_batch beside = make_tensor<float>({0, 0, 0, 0});
  std::vector<float> deviations;
  if (number > 0) {
    beside = make_tensor<float>({all.images, before.channels, stage.image.height, stage.image.width});
    beside.fill(0.0f);
    options.given.image = as_view(beside);
  }
  if (stage.beside_noise) {
    deviations = vector_of<float>("deviations of the noise beside x", {all.images});
    options.given.features = view<const float, host_space>{deviations.data(), {all.images, 1, 1, 1}};
  }
  require_for("cascade's " + name, [&] { to_draw(stage.denoiser, options); });
  if (number < state.images.size())
    require(extent_of(state.images[number]) == stage.image.with_images(all.images),
            name + ": shape of the images so far", extent_of(state.images[number]), "that of all images of the stage");
}

}  // namespace detail

/// Draws images by a cascade of stages, each of a larger size than the one before (Ho et al. 2022): the first from
/// labels alone, the others beside the enlarged images of the one before. Stages that `state` has are skipped,
/// and each that is drawn is added to it, so a call that was stopped is continued by the same call with the state it
/// left; a stage that was stopped, even at its last step, is drawn again. The observer sees the steps of each stage.
/// Returns whether all stages are done. Throws `error` before any work, naming the stage, for stages or a state that do
/// not fit and for labels or images that a network does not accept; later for what else `sample` refuses.
template <class Be, class Observer, class... Stages>
bool sample_cascade(Be& be, const cascade_options& options, cascade_state& state, Observer&& observer,
                    const Stages&... stages) {
  if constexpr (sizeof...(Stages) == 0 || !(detail::is_cascade_stage<Stages> && ...)) {
    static_assert(sizeof...(Stages) > 0 && (detail::is_cascade_stage<Stages> && ...),
                  "softscore: what follows the observer of sample_cascade must be cascade_stages, at least one");
    return false;
  } else {
    require(options.images >= 1, "images", options.images, "at least 1");
    require(state.images.size() <= sizeof...(Stages), "number of stages that are done", state.images.size(),
            "at most that of all, " + std::to_string(sizeof...(Stages)));
    state.nfe.resize(state.images.size());
    std::size_t number = 0;
    shape before{};
    ((detail::check_stage(stages, number++, before, options, state), before = stages.image), ...);
    number = 0;
    bool stopped = false;
    const auto draw = [&](const auto& stage) {
      if (!stopped && number >= state.images.size())
        stopped = detail::draw_stage(be, stage, number, options, state, observer);
      ++number;
    };
    (draw(stages), ...);
    return !stopped;
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
