#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/view.hpp>

namespace softscore {  // shared

/// The class of an image, counted from 0; `no_class` means that the image has none.
using class_label = std::int32_t;
inline constexpr class_label no_class = -1;

/// What is known about the images of a batch besides x_t and the time. It refers to host memory that the caller keeps.
/// An empty member means that nothing is known.
struct conditioning {
  std::span<const class_label> labels{};     ///< one per image
  view<const float, host_space> image{};     ///< (N,c,H,W): a network sees it beside x
  view<const float, host_space> features{};  ///< (N,E,1,1): numbers that a network embeds

  SOFTSCORE_SHARED bool empty() const { return labels.empty() && image.empty() && features.empty(); }
  /// Returns the part that belongs to `count` images, from image `first` of the batch on.
  SOFTSCORE_SHARED conditioning images(std::size_t first, std::size_t count) const {
    return {labels.empty() ? labels : labels.subspan(first, count), image.empty() ? image : image.images(first, count),
            features.empty() ? features : features.images(first, count)};
  }
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Throws `error` unless every member that is given has exactly one entry for each image of a batch of that shape, and
/// an image beside x has the height and width of x.
template <class = when_called>
void require_one_per_image(const conditioning& given, const shape& images) {
  const auto all = [&](std::size_t count, const char* what) {
    require(count == images.images, what, count, "that of the images, " + detail::shown(images.images));
  };
  if (!given.labels.empty()) all(given.labels.size(), "number of labels");
  if (!given.features.empty()) all(given.features.extent().images, "number of rows of features");
  if (given.image.empty()) return;
  const shape& beside = given.image.extent();
  all(beside.images, "number of images given beside x");
  require(beside.height == images.height, "height of the images given beside x", beside.height,
          "that of x, " + detail::shown(images.height));
  require(beside.width == images.width, "width of the images given beside x", beside.width,
          "that of x, " + detail::shown(images.width));
}

}  // namespace softscore::inline SOFTSCORE_ABI
