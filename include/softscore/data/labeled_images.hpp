#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>

namespace softscore {  // shared

/// Images in [0, 1] with what else is known about each; an empty member is not known.
struct labeled_images {
  image_batch pixels;
  std::vector<class_label> labels{};  ///< the class of each
  image_batch beside{};               ///< (N,c,H,W): what a network sees beside x, in the range in which it sees it
  image_batch features{};             ///< (N,E,1,1): numbers that a network embeds

  SOFTSCORE_SHARED shape extent() const { return extent_of(pixels); }
  /// What is known about the images besides their pixels; it refers to the members.
  SOFTSCORE_SHARED conditioning given() const {
    const auto known = [](const image_batch& numbers) {
      return numbers.size() == 0 ? view<const float, host_space>{} : as_view(numbers);
    };
    return {{labels.data(), labels.size()}, known(beside), known(features)};
  }
  /// Throws `error`, with `what` the images are for, unless every member that is given has exactly one entry per image;
  /// an image beside x has the height and width of x.
  template <class = when_called>
  SOFTSCORE_SHARED void check(std::string_view what) const {
    detail::require_for(what, [&] { require_one_per_image(given(), extent()); });
  }
};

/// The images that a model learns from, and those that it is tested on.
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
