#include "data.hpp"

#include <algorithm>
#include <string>

#include <softscore/data/idx.hpp>
#include <softscore/data/stroke_digits.hpp>

namespace digits {
namespace {

std::size_t tenth(std::size_t images) { return std::max<std::size_t>(1, images / 10); }

}  // namespace

softscore::shape stroke_digits_asked(const run_settings& settings) {
  const std::size_t count = settings.images > 0 ? settings.images : usual_stroke_digits;
  // Flags and checkpoints may request much: more than 4 GiB of pixels are refused before they are allocated.
  const std::size_t most = (std::size_t{1} << 30) / (settings.side * settings.side);
  softscore::require(count <= most, "--images", count,
                     "at most " + std::to_string(most) + " stroke digits of side " + std::to_string(settings.side));
  return {count, 1, settings.side, settings.side};
}

softscore::data_set load_data(const run_settings& settings) {
  if (settings.data.empty()) {
    const std::size_t count = stroke_digits_asked(settings).images;
    // The data are the same for every seed of the run.
    return softscore::stroke_digit_set(count, tenth(count), 1, settings.side);
  }
  auto data = softscore::read_mnist(settings.data);
  if (settings.images > 0) {
    softscore::require(
        settings.images <= data.training.extent().images, "--images", settings.images,
        "at most the " + std::to_string(data.training.extent().images) + " training images of " + settings.data);
    data.training.pixels = first_images(data.training.pixels, settings.images);
    data.training.labels.resize(settings.images);
    data.test.pixels = first_images(data.test.pixels, tenth(settings.images));
    data.test.labels.resize(data.test.extent().images);
  }
  return data;
}

}  // namespace digits
