#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <softscore/core/number_text.hpp>
#include <softscore/sampler/sample.hpp>
#include <softscore/train/fit_color_prior.hpp>
#include <softscore/train/fit_prior.hpp>

#include "model.hpp"
#include "recipes.hpp"
#include "samplers.hpp"

namespace digits {

/// The model of a recipe: everything below is the library, and the recipe's types choose which of it.
template <class Recipe>
class model_of final : public model {
  using corruption_type = decltype(Recipe::corruption(softscore::shape{}, softscore::fitted_prior{}));
  using denoiser_type = decltype(Recipe::denoiser(std::declval<any_network>(), std::declval<const corruption_type&>()));
  using run_type = softscore::sampling_run<softscore::tbb_backend, corruption_type, denoiser_type, float>;

 public:
  model_of(any_network network, std::optional<softscore::tabulated> searched)
      : image_{network.image()},
        searched_{std::move(searched)},
        corruption_{Recipe::corruption(image_, prior_, searched_)},
        denoiser_{Recipe::denoiser(std::move(network), corruption_)} {}

  any_network& network() override { return denoiser_.network(); }
  softscore::pixel_scale pixels() const override { return Recipe::training().pixels; }

  const softscore::fitted_prior& prior() const override { return prior_; }
  void set_prior(softscore::fitted_prior prior) override {
    prior_ = std::move(prior);
    corruption_ = Recipe::corruption(image_, prior_, searched_);
  }
  void fit_prior(softscore::tbb_backend& be, const softscore::image_batch& images, prior_choice kind) override {
    if constexpr (Recipe::fits_prior) {
      const auto all = softscore::as_view(images);
      switch (kind) {
        case prior_choice::trained:
          return set_prior(softscore::fit_prior(be, corruption_, all, pixels()));
        case prior_choice::color:
          return set_prior(softscore::fit_color_prior(all, pixels()));
        case prior_choice::corrupted_color:
          return set_prior(softscore::fit_color_prior(be, corruption_, all, pixels()));
      }
    }
  }

  softscore::training_result train(softscore::tbb_backend& be, const softscore::data_set& data,
                                   const softscore::training_options& options, const loss_choice& loss,
                                   const training_watch& watch, const std::optional<softscore::training_state>& from,
                                   const softscore::checkpoint_extras& extras) override {
    return softscore::train(be, denoiser_, corruption_, Recipe::objective(loss), data, options, watch, from, extras);
  }

  void check_sampler(const std::string& sampler) const override {
    with_sampler<run_type>(sampler, Recipe::name, [](const auto&) {});
  }

  drawing sample(softscore::tbb_backend& be, const sampling_plan& plan, const sampling_watch& watch) const override {
    drawing result;
    with_sampler<run_type>(plan.sampler, Recipe::name, [&](const auto& sampler) {
      const auto look = [&](const softscore::sampling_progress<softscore::tbb_backend, float>& p) {
        return watch(sampling_view{p.at, p.nfe, p.x, p.h, p.done, p.images});
      };
      auto drawn = softscore::sample(be, sampler, corruption_, denoiser_, softscore::uniform_grid(plan.steps),
                                     {.images = plan.count, .seed = plan.seed, .batch_size = plan.batch_size}, look);
      result = {std::move(drawn.images), drawn.nfe, drawn.stopped};
    });
    to_unit_range(result.images);
    return result;
  }

  estimator denoiser(softscore::tbb_backend& be, const softscore::shape& batch) const override {
    using workspace = softscore::workspace_of<denoiser_type, softscore::tbb_backend, float>;
    const auto ws = std::make_shared<workspace>(denoiser_.template workspace<float>(be, batch));
    return {[this, &be, ws](const softscore::condition& q, estimator::images x, estimator::result out) {
              denoiser_.template estimate<softscore::tbb_backend, float>(be, q, x, out, *ws);
            },
            [this, &be, ws](const softscore::condition& q, estimator::images v, estimator::result out) {
              denoiser_.template pullback<softscore::tbb_backend, float>(be, q, v, out, *ws);
            }};
  }

  softscore::image_batch corrupted(softscore::tbb_backend& be, const softscore::image_batch& images, double time,
                                   std::uint64_t seed) const override {
    const softscore::shape extent = softscore::extent_of(images);
    softscore::image_batch scaled = images;
    for (float& pixel : scaled) pixel = pixels().gain * pixel + pixels().offset;
    auto clean = be.template make<float>(extent), xi = be.template make<float>(extent),
         noisy = be.template make<float>(extent);
    be.upload(scaled.data(), clean.view());
    corruption_.draw_xi(be, {seed, softscore::noise_stream::user}, {0, extent.images}, xi.view());
    corruption_.template corrupt<softscore::tbb_backend, float>(be, softscore::diffusion_time{time}, clean.view(),
                                                                xi.view(), noisy.view());
    be.download(softscore::view<const float, softscore::host_space>{noisy.view()}, scaled.data());
    to_unit_range(scaled);
    return scaled;
  }

  std::string describe(double time) const override {
    const softscore::diffusion_time t{time};
    std::string text = "level " + softscore::detail::rounded(corruption_.level_at(t).value, 3);
    if constexpr (softscore::HasSigma<corruption_type>)
      text += ", noise " + softscore::detail::rounded(corruption_.sigma(t), 3);
    return text;
  }

 private:
  void to_unit_range(softscore::image_batch& images) const {
    for (float& pixel : images) pixel = (pixel - pixels().offset) / pixels().gain;
  }

  softscore::shape image_;
  std::optional<softscore::tabulated> searched_;
  softscore::fitted_prior prior_{};
  corruption_type corruption_;
  denoiser_type denoiser_;
};

template <class Recipe>
recipe_entry entry_of() {
  return {Recipe::name,
          Recipe::about,
          Recipe::sampler,
          Recipe::steps,
          std::same_as<decltype(Recipe::objective(loss_choice{})), soft_or_naive>,
          Recipe::ahead,
          Recipe::fits_prior,
          Recipe::takes_schedule,
          &Recipe::training,
          [](any_network network, std::optional<softscore::tabulated> searched) -> std::unique_ptr<model> {
            return std::make_unique<model_of<Recipe>>(std::move(network), std::move(searched));
          }};
}

}  // namespace digits
