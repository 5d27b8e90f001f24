#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <softscore/core/config.hpp>
#include <softscore/core/noise.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Adds `scale` times the standard normal numbers of the key and of image `number` to an image in host memory: noise
/// that depends on neither the batch nor the backend.
template <class = when_called>
void add_noise(const noise_key& key, std::uint64_t number, float scale, std::span<float> image) {
  for (std::size_t i = 0; i < image.size(); i += 4) {
    const auto four = normals(key, number, static_cast<std::uint32_t>(i / 4));
    for (std::size_t k = 0; k < 4 && i + k < image.size(); ++k) image[i + k] += scale * four[k];
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
