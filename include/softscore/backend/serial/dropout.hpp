#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <softscore/backend/dropout.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Sets y = x / (1 - probability) where the mask of `dropout_rule` keeps the element, and 0 elsewhere; with
/// `of_channels` whole channels are dropped. x and y are activations (N,C,H,W) of the images `images` of the run; y may
/// be x. The backward pass is the same call on dy. Throws `error` unless 0 <= probability < 1.
template <class T>
void dropout(serial_backend&, const noise_key& key, image_range images, double probability, bool of_channels,
             const_view<T, host_space> x, view<T, host_space> y) {
  const dropout_rule rule{probability};
  const shape s = y.extent();
  const std::size_t run = of_channels ? s.plane() : 1, elements = s.per_image() / run;  // `run` numbers share one word
  for (std::size_t n = 0; n < s.images; ++n) {
    const T* from = x.image(n).data();
    T* to = y.image(n).data();
    for (std::size_t e = 0; e < elements; e += 4) {
      const auto words = random_words(key, images.first + n, static_cast<std::uint32_t>(e / 4));
      for (std::size_t i = e * run; i < (std::min)(e + 4, elements) * run; ++i)
        to[i] = rule(from[i], words[i / run - e]);
    }
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
