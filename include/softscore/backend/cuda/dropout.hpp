#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/backend/dropout.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

struct dropout_arguments {
  noise_key key;
  std::uint64_t first;  // image
  dropout_rule rule;
};

// A thread for four elements that share a call of the generator. Kernel arguments: dropout_arguments.
template <class T>
struct dropout_task {
  const T* x;
  T* y;
  std::size_t images, per_image;
  grid launch() const { return image_grid(images, ceiling(per_image, 4)); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    const dropout_arguments of = *reinterpret_cast<const dropout_arguments*>(arguments);
    each_element_of_images(group, ceiling(per_image, 4), [&](std::size_t image, std::size_t four) {
      const auto words = random_words(of.key, of.first + image, narrow(four));
      const std::size_t first = image * per_image + 4 * four;
      SOFTSCORE_UNROLL
      for (std::size_t k = 0; k < 4; ++k)
        if (4 * four + k < per_image) y[first + k] = of.rule(x[first + k], words[k]);
    });
  }
};

// A thread for each element; the channel's number picks the word. Kernel arguments: dropout_arguments.
template <class T>
struct drop_channels_task {
  const T* x;
  T* y;
  std::size_t images, channels, plane;
  grid launch() const { return image_grid(images, channels * plane); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    const dropout_arguments of = *reinterpret_cast<const dropout_arguments*>(arguments);
    each_element_of_images(group, channels * plane, [&](std::size_t image, std::size_t i) {
      const std::uint32_t channel = narrow(i) / narrow(plane);
      const auto words = random_words(of.key, of.first + image, channel / 4);
      const std::size_t at = image * channels * plane + i;
      y[at] = of.rule(x[at], words[channel % 4]);
    });
  }
};

}  // namespace detail

/// Dropout as on the serial backend, with the same mask.
template <class Device, class T>
void dropout(device_backend<Device>& be, const noise_key& key, image_range images, double probability, bool of_channels,
             const_view<T, cuda_space> x, view<T, cuda_space> y) {
  const detail::dropout_arguments arguments{key, images.first, dropout_rule{probability}};
  const shape s = y.extent();
  if (of_channels)
    be.note(detail::drop_channels_task<T>{raw(x), raw(y), s.images, s.channels, s.plane()}, arguments);
  else
    be.note(detail::dropout_task<T>{raw(x), raw(y), s.images, s.per_image()}, arguments);
}

}  // namespace softscore::inline SOFTSCORE_ABI
