#include "image_sets.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>

namespace common {

softscore::image_batch first_images(const softscore::image_batch& images, std::size_t count) {
  const softscore::shape all = softscore::extent_of(images);
  auto part = softscore::make_tensor(all.with_images(std::min(count, all.images)));
  std::copy_n(images.data(), part.size(), part.data());
  return part;
}

void copy_image(const softscore::image_batch& source, std::size_t from, softscore::image_batch& target,
                std::size_t to) {
  const std::size_t size = softscore::extent_of(source).per_image();
  std::copy_n(source.data() + from * size, size, target.data() + to * size);
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

void require_trained_on(const softscore::data_set& data, const std::string& expected,
                        const std::filesystem::path& checkpoint) {
  const std::string found = fingerprint(data);
  softscore::require(found == expected, "the fingerprint of the images", found,
                     expected + ", that of the images which " + checkpoint.string() + " was trained on");
}

}  // namespace common
