#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>

namespace softscore {  // shared

/// Images in [0, 1] with the class of each (empty where there are no classes).
struct labeled_images {
  image_batch pixels;
  std::vector<class_label> labels;

  SOFTSCORE_SHARED shape extent() const { return extent_of(pixels); }
  /// Throws `error` naming `what` the images are for, if there are labels, but not one for each image.
  template <class = when_called>
  SOFTSCORE_SHARED void check(std::string_view what) const {
    require(labels.empty() || labels.size() == extent().images, "number of labels of the " + std::string{what},
            labels.size(), "0, or as many as the images: " + std::to_string(extent().images));
  }
};

/// What a model learns from and what it is tested on.
struct data_set {
  labeled_images training;
  labeled_images test;
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

/// Bytes as float32 numbers in [0, 1]: byte / 255.
inline void bytes_to_unit(const std::uint8_t* bytes, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(bytes[i]) / 255.0f;
}

}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
