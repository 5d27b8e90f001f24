#include "data.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>

#include <softscore/data/idx.hpp>
#include <softscore/data/stroke_digits.hpp>

namespace digits {
namespace {

std::size_t tenth(std::size_t images) { return std::max<std::size_t>(1, images / 10); }

}  // namespace

softscore::image_batch first_images(const softscore::image_batch& images, std::size_t count) {
  const softscore::shape all = softscore::extent_of(images);
  auto part = softscore::make_tensor(all.with_images(std::min(count, all.images)));
  std::copy_n(images.data(), part.size(), part.data());
  return part;
}

softscore::shape stroke_digits_asked(const run_settings& settings) {
  const std::size_t count = settings.images > 0 ? settings.images : usual_stroke_digits;
  // Flags and checkpoints may ask for much: 4 GiB of pixels are refused before they are allocated.
  const std::size_t most = (std::size_t{1} << 30) / (settings.side * settings.side);
  softscore::require(count <= most, "--images", count,
                     "at most " + std::to_string(most) + " stroke digits of side " + std::to_string(settings.side));
  return {count, 1, settings.side, settings.side};
}

softscore::data_set load_data(const run_settings& settings) {
  if (settings.data.empty()) {
    const std::size_t count = stroke_digits_asked(settings).images;
    // The data are the same whatever the seed of the run.
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

void require_trained_on(const softscore::data_set& data, const std::string& expected,
                        const std::filesystem::path& checkpoint) {
  const std::string found = fingerprint(data);
  softscore::require(found == expected, "the fingerprint of the images", found,
                     expected + ", that of the images which " + checkpoint.string() + " was trained on");
}

std::string fingerprint(const softscore::data_set& data) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  const auto mix = [&](std::uint64_t word) { hash = std::rotl((hash ^ word) * 0x9E3779B97F4A7C15u, 29); };
  for (const auto* part : {&data.training.pixels, &data.test.pixels}) {
    for (const std::size_t side : part->shape()) mix(side);
    for (const float pixel : *part) mix(std::bit_cast<std::uint32_t>(pixel));
  }
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

}  // namespace digits
