#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <softscore/denoiser/thresholding.hpp>
#include <softscore/sampler/sample.hpp>

#include "any_denoiser.hpp"
#include "model.hpp"
#include "recipes.hpp"
#include "samplers.hpp"

// Samplers against each other on the recipes of the program digits. A sampler enters by one line in any file of this
// folder: `const bool entered = enter("name", my_sampler{});`. Where its needs are not met it is left out.
namespace contest {

/// Where C = a I the estimate is clipped to the range of the images, as the field does: where little is left of an
/// image, an estimate from predicted noise is its error divided by a_t. An estimate from what a blur or a mask leaves
/// is taken as it is: clipping those of a blur doubles the distance.
template <class Corruption>
auto estimates(const digits::model& model) {
  const auto scale = model.pixels();
  if constexpr (softscore::ScalarSignal<Corruption>)
    return softscore::static_thresholding{digits::any_denoiser{model}, {scale.offset, scale.offset + scale.gain}};
  else
    return digits::any_denoiser{model};
}

/// What to draw: as many steps as `evaluations` of the network pay for.
struct task {
  softscore::tbb_backend& backend;
  const digits::model& model;
  softscore::shape image;
  std::size_t evaluations, count;
};

/// Images in the range of the model, what they cost, and the time of a step for all images, the network's included.
struct outcome {
  softscore::image_batch images;
  std::size_t nfe{}, steps{};
  double seconds{};
};

/// A sampler on a recipe.
struct entrant {
  std::string_view recipe;
  std::string sampler;
  int order{}, evaluations_per_step{};
  std::function<outcome(const task&)> draw;
};

inline std::vector<entrant>& entrants() {
  static std::vector<entrant> all;
  return all;
}

/// Steps of a sampler that cost at most so many evaluations: the last step costs one, for it returns the estimate.
inline std::size_t steps_for(std::size_t evaluations, int per_step) {
  return (std::max<std::size_t>(evaluations, 1) - 1) / static_cast<std::size_t>(per_step) + 1;
}

template <class Recipe, class S>
void enter_recipe(const std::string& name, const S& sampler) {
  using corruption_type = decltype(Recipe::corruption(softscore::shape{}, softscore::fitted_prior{}));
  using run_type =
      softscore::sampling_run<softscore::tbb_backend, corruption_type,
                              decltype(estimates<corruption_type>(std::declval<const digits::model&>())), float>;
  if constexpr (softscore::unmet_need<S, run_type>().empty())
    entrants().push_back(
        {Recipe::name, name, S::order, S::evaluations_per_step, [sampler](const task& t) {
           const std::size_t steps = steps_for(t.evaluations, S::evaluations_per_step);
           const auto corruption = Recipe::corruption(t.image, t.model.prior());
           const auto began = std::chrono::steady_clock::now();
           auto drawn = softscore::sample(
               t.backend, sampler, corruption, estimates<corruption_type>(t.model), softscore::uniform_grid(steps),
               {.images = t.count, .batch_size = std::min<std::size_t>(t.count, 128), .image = t.image});
           const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
           return outcome{std::move(drawn.images), drawn.nfe, steps, took.count()};
         }});
}

/// Enters a sampler for every recipe that offers what it needs.
template <class S>
bool enter(const std::string& name, const S& sampler) {
  enter_recipe<digits::ddpm_recipe>(name, sampler);
  enter_recipe<digits::eraser_recipe>(name, sampler);
  enter_recipe<digits::blur_recipe>(name, sampler);
  enter_recipe<digits::mask_recipe>(name, sampler);
  return true;
}

}  // namespace contest
