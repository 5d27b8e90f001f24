#include "scoring.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

#include <softscore/core/noise.hpp>
#include <softscore/data/loader.hpp>
#include <softscore/metric/frechet.hpp>

#include "data.hpp"

namespace digits {

bool can_score(std::size_t images, const softscore::data_set& data) {
  return images >= 2 && data.test.extent().images >= 2 && images + 2 <= data.training.extent().images;
}

struct scorer::fitted {
  softscore::principal_components components;
  softscore::gaussian_moments tests;
  softscore::shape images;
  frechet_scores controls;

  double distance(const softscore::image_batch& set) const {
    return softscore::frechet_distance(softscore::moments_of(softscore::project(components, softscore::as_view(set))),
                                       tests);
  }
};

held_out_split hold_out(const softscore::data_set& data, std::size_t count) {
  const softscore::shape all = data.training.extent();
  softscore::require(
      can_score(count, data), "the number of images to score", count,
      "at least 2 and at most " + std::to_string(all.images - 2) + ", so that as many training images can be held out");
  // Files are rarely in random order: the last images of MNIST, or every second one, differ much from the others.
  softscore::shuffling_loader order{all.images, all.images, 0};
  const auto shuffled = order.indices(0);
  const auto of = [&](std::span<const std::uint32_t> numbers) {
    auto part = softscore::make_tensor(all.with_images(numbers.size()));
    softscore::gather(softscore::as_view(data.training.pixels), numbers, {}, softscore::as_view(part));
    return part;
  };
  return {of(shuffled.first(count)), of(shuffled.subspan(count))};
}

softscore::image_batch noise_images(const softscore::shape& extent) {
  auto noise = softscore::make_tensor(extent);
  for (std::size_t i = 0; i < noise.size(); ++i)
    noise.data()[i] = static_cast<float>(softscore::uniform({.seed = 0, .stream = softscore::noise_stream::user},
                                                            i / extent.per_image(),
                                                            static_cast<std::uint32_t>(i % extent.per_image())));
  return noise;
}

softscore::image_batch clipped_images(const softscore::image_batch& images, const softscore::data_set& data) {
  const softscore::shape all = data.training.extent(), asked = softscore::extent_of(images);
  softscore::require(asked.with_images(all.images) == all, "the shape of the images to score", asked,
                     "that of the data's images, " + std::to_string(all.channels) + " x " + std::to_string(all.height) +
                         " x " + std::to_string(all.width));
  auto clipped = images;
  for (float& pixel : clipped) pixel = std::clamp(pixel, 0.0f, 1.0f);
  return clipped;
}

scorer::scorer(const softscore::data_set& data, std::size_t count) {
  const softscore::shape all = data.training.extent();
  const auto [held, fitted_on] = hold_out(data, count);
  auto made = std::make_shared<fitted>();
  made->components = softscore::fit_principal_components(
      softscore::as_view(fitted_on), std::min({std::size_t{64}, all.images - count - 1, all.per_image()}));
  made->tests = softscore::moments_of(softscore::project(made->components, softscore::as_view(data.test.pixels)));
  made->images = all.with_images(count);
  made->controls = {.held_out = made->distance(held),
                    .noise = made->distance(noise_images(made->images)),
                    .count = count,
                    .tests = data.test.extent().images,
                    .components = made->components.count()};
  fitted_ = std::move(made);
}

frechet_scores scorer::operator()(const softscore::image_batch& images) const {
  const softscore::shape asked = softscore::extent_of(images), all = fitted_->images;
  softscore::require(asked.with_images(all.images) == all, "the shape of the images to score", asked,
                     "that of the data's images, " + std::to_string(all.channels) + " x " + std::to_string(all.height) +
                         " x " + std::to_string(all.width));
  softscore::require(asked.images == all.images, "the number of images to score", asked.images,
                     "the " + std::to_string(all.images) + " that were announced");
  auto clipped = images;
  for (float& pixel : clipped) pixel = std::clamp(pixel, 0.0f, 1.0f);
  auto scores = fitted_->controls;
  scores.images = fitted_->distance(clipped);
  return scores;
}

frechet_scores score_images(const softscore::image_batch& images, const softscore::data_set& data) {
  const softscore::shape all = data.training.extent(), asked = softscore::extent_of(images);
  softscore::require(asked.with_images(all.images) == all, "the shape of the images to score", asked,
                     "that of the data's images, " + std::to_string(all.channels) + " x " + std::to_string(all.height) +
                         " x " + std::to_string(all.width));
  return scorer{data, asked.images}(images);
}

}  // namespace digits
