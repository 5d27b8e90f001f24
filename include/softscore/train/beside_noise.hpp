#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <softscore/core/add_noise.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/core/view.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Images beside x with noise, each of a scale of its own, which is its feature (Ho et al. 2022, Section 4.2).
class noisy_beside {
 public:
  noisy_beside(double most, const shape& beside, std::size_t images) : most_{most}, extent_{beside} {
    if (most_ <= 0.0) return;
    images_ = vector_of<float>("elements of the images beside x", {images, beside.per_image()});
    scales_.resize(images);
  }

  bool active() const { return most_ > 0.0; }

  // The conditions of images from number `first` on, with this draw's noise. They refer to memory of this object.
  conditioning of(std::uint64_t seed, std::uint32_t step, bool trains, std::uint64_t first, conditioning given) {
    if (!active()) return given;
    const std::size_t count = given.image.extent().images, each = extent_.per_image();
    const noise_key scale{seed, noise_stream::beside, step, static_cast<std::uint8_t>(trains ? 0 : 1)};
    const noise_key noise{seed, noise_stream::beside, step, static_cast<std::uint8_t>(trains ? 2 : 3)};
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<float> to{images_.data() + i * each, each};
      const auto from = given.image.image(i);
      std::copy(from.begin(), from.end(), to.begin());
      scales_[i] = static_cast<float>(most_ * uniform(scale, first + i, 0));
      add_noise(noise, first + i, scales_[i], to);
    }
    given.image = view<const float, host_space>{images_.data(), extent_.with_images(count)};
    given.features = view<const float, host_space>{scales_.data(), {count, 1, 1, 1}};
    return given;
  }

 private:
  double most_;
  shape extent_;
  std::vector<float> images_, scales_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
