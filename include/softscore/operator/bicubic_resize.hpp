#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/view.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/operator/cubic_window.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// What each of `to` pixels takes of `from` pixels along one axis.
class cubic_weights {
 public:
  cubic_weights(std::size_t from, std::size_t to) {
    const double scale = static_cast<double>(from) / static_cast<double>(to);
    const std::size_t most = (std::min)(from, static_cast<std::size_t>(4.0 * (std::max)(scale, 1.0)) + 2);
    reserve_for(weights_, "weights of a resized image", {to, most});
    for (std::size_t i = 0; i < to; ++i) {
      const cubic_window reach{(static_cast<double>(i) + 0.5) * scale - 0.5, (std::max)(scale, 1.0), from};
      first_.push_back(reach.first);
      begin_.push_back(weights_.size());
      const double sum = reach.sum();
      for (std::size_t k = reach.first; k < reach.end; ++k) weights_.push_back(reach.weight(k) / sum);
    }
    begin_.push_back(weights_.size());
  }

  // The sum for pixel i, of numbers `step` apart.
  template <class T>
  double of(std::size_t i, const T* line, std::size_t step) const {
    double sum = 0.0;
    for (std::size_t k = begin_[i], at = first_[i]; k < begin_[i + 1]; ++k, ++at)
      sum += weights_[k] * static_cast<double>(line[at * step]);
    return sum;
  }

 private:
  std::vector<double> weights_;
  std::vector<std::size_t> first_, begin_;
};

}  // namespace detail

/// The images at another size by the cubic kernel with a = -1/2 (Keys 1981), stretched where the images shrink so that
/// nothing aliases; what lies beyond the edge is left out, and the weights sum to 1: Pillow's BICUBIC. The kernel has
/// negative weights, so results may lie a little outside the range of the images. Throws `error` if a side is 0.
template <class = when_called>
image_batch bicubic_resize(view<const float, host_space> images, std::size_t height, std::size_t width) {
  const shape from = images.extent();
  require(from.height >= 1 && from.width >= 1, "shape of an image to resize", from.with_images(1),
          "of at least one pixel");
  require(height >= 1, "height", height, "at least 1");
  require(width >= 1, "width", width, "at least 1");
  image_batch out = make_tensor<float>({from.images, from.channels, height, width});
  if (out.size() == 0) return out;
  const detail::cubic_weights rows{from.height, height}, columns{from.width, width};
  auto lines = vector_of<double>("elements of a resized plane", {from.height, width});
  for (std::size_t i = 0; i < from.images; ++i)
    for (std::size_t c = 0; c < from.channels; ++c) {
      const float* plane = images.image(i).data() + c * from.plane();
      float* to = out.data() + (i * from.channels + c) * height * width;
      for (std::size_t y = 0; y < from.height; ++y)
        for (std::size_t x = 0; x < width; ++x) lines[y * width + x] = columns.of(x, plane + y * from.width, 1);
      for (std::size_t y = 0; y < height; ++y)
        for (std::size_t x = 0; x < width; ++x) to[y * width + x] = static_cast<float>(rows.of(y, &lines[x], width));
    }
  return out;
}
template <class = when_called>
image_batch bicubic_resize(const image_batch& images, std::size_t height, std::size_t width) {
  return bicubic_resize(as_view(images), height, width);
}

}  // namespace softscore::inline SOFTSCORE_ABI
