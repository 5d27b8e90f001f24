#include "scoring.hpp"

#include <algorithm>
#include <cstdint>

#include <softscore/core/noise.hpp>
#include <softscore/metric/frechet.hpp>

#include "data.hpp"

namespace digits {

bool can_score(std::size_t images, const softscore::data_set& data) {
  return images >= 2 && data.test.extent().images >= 2 && images + 2 <= data.training.extent().images;
}

frechet_scores score_images(const softscore::image_batch& images, const softscore::data_set& data) {
  const softscore::shape all = data.training.extent(), asked = softscore::extent_of(images);
  softscore::require(asked.with_images(all.images) == all, "the shape of the images to score", asked,
                     "that of the data's images, " + std::to_string(all.channels) + " x " + std::to_string(all.height) +
                         " x " + std::to_string(all.width));
  softscore::require(
      can_score(asked.images, data), "the number of images to score", asked.images,
      "at least 2 and at most " + std::to_string(all.images - 2) + ", so that as many training images can be held out");

  const std::size_t rest = all.images - asked.images;
  const auto fitted_on = first_images(data.training.pixels, rest),
             held = first_images(data.training.pixels, asked.images, rest);
  const auto components = softscore::fit_principal_components(softscore::as_view(fitted_on),
                                                              std::min({std::size_t{64}, rest - 1, all.per_image()}));

  auto clipped = images, noise = images;
  for (float& pixel : clipped) pixel = std::clamp(pixel, 0.0f, 1.0f);
  for (std::size_t i = 0; i < noise.size(); ++i)
    noise.data()[i] =
        static_cast<float>(softscore::uniform({.seed = 0, .stream = softscore::noise_stream::user}, i / all.per_image(),
                                              static_cast<std::uint32_t>(i % all.per_image())));

  const auto features = [&](const softscore::image_batch& set) {
    return softscore::project(components, softscore::as_view(set));
  };
  const auto tests = softscore::moments_of(features(data.test.pixels));
  const auto distance = [&](const softscore::image_batch& set) {
    return softscore::frechet_distance(softscore::moments_of(features(set)), tests);
  };
  return {distance(clipped),         distance(held),    distance(noise), asked.images,
          data.test.extent().images, components.count()};
}

}  // namespace digits
