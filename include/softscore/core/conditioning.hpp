#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <softscore/core/config.hpp>
#include <softscore/core/view.hpp>

namespace softscore {  // shared

/// The class of an image, counted from 0; `no_class` stands for none.
using class_label = std::int32_t;
inline constexpr class_label no_class = -1;

/// What is known of the images of a batch besides x_t and the time. It refers to host memory that the caller keeps; an
/// empty member means that nothing is known.
struct conditioning {
  std::span<const class_label> labels{};     ///< one per image
  view<const float, host_space> image{};     ///< (N,c,H,W): a network sees it beside x
  view<const float, host_space> features{};  ///< (N,E,1,1): numbers that a network embeds

  SOFTSCORE_SHARED bool empty() const { return labels.empty() && image.empty() && features.empty(); }
  /// What belongs to `count` images from number `first` of the batch on.
  SOFTSCORE_SHARED conditioning images(std::size_t first, std::size_t count) const {
    return {labels.empty() ? labels : labels.subspan(first, count), image.empty() ? image : image.images(first, count),
            features.empty() ? features : features.images(first, count)};
  }
};

}  // namespace softscore
