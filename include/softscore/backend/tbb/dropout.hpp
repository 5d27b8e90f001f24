#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <softscore/backend/dropout.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/backend/tbb/normals_simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// The words of contiguous elements of an image, a few hundred at a time.
class word_run {
 public:
  static constexpr std::size_t most = 8 * native_lanes;  // elements

  // Draws the words of `count` elements, at most `most` - 3, from `first` on.
  void draw(const noise_key& key, std::uint64_t image, std::size_t first, std::size_t count) {
    start_ = first % 4;
    if (start_ + count > most / 2)
      fill<2>(key, image, first / 4);
    else
      fill<1>(key, image, first / 4);
  }
  std::uint32_t operator[](std::size_t i) const { return words_[(start_ + i) % 4][(start_ + i) / 4]; }

 private:
  template <std::size_t Groups>
  void fill(const noise_key& key, std::uint64_t image, std::size_t block) {
    simd_word<native_lanes> drawn[Groups][4];
    random_words_simd<native_lanes>(key, image, static_cast<std::uint32_t>(block), drawn);
    for (std::size_t g = 0; g < Groups; ++g)
      for (std::size_t k = 0; k < 4; ++k) std::memcpy(words_[k] + g * native_lanes, &drawn[g][k], sizeof drawn[g][k]);
  }

  std::size_t start_{};
  alignas(64) std::uint32_t words_[4][most / 4];
};

// W channels of an image in a block, from channel `block` * W on: first the words of some pixels are arranged in the
// order of the activation.
template <std::size_t W>
void drop_block(const dropout_rule& rule, const noise_key& key, std::uint64_t image, std::size_t block,
                std::size_t plane, const float* x, float* y) {
  constexpr std::size_t run = word_run::most - 4;
  const float scale = static_cast<float>(rule.scale());
  word_run drawn;
  alignas(64) std::uint32_t words[run * W];
  for (std::size_t first = 0; first < plane; first += run) {
    const std::size_t count = (std::min)(run, plane - first);
    for (std::size_t lane = 0; lane < W; ++lane) {
      drawn.draw(key, image, (block * W + lane) * plane + first, count);
      for (std::size_t i = 0; i < count; ++i) words[i * W + lane] = drawn[i];
    }
    for (std::size_t i = 0; i < count; ++i) {
      simd_word<W> word;
      std::memcpy(&word, words + i * W, sizeof word);
      const std::size_t at = (first + i) * W;
      store(y + at, word >= rule.threshold() ? load<W>(x + at) * scale : simd<W>{});
    }
  }
}

}  // namespace detail

/// Dropout as on the serial backend, with the same mask.
template <class T>
void dropout(tbb_backend& be, const noise_key& key, image_range images, double probability, bool of_channels,
             const_view<T, host_space> x, view<T, host_space> y) {
  const dropout_rule rule{probability};
  const shape s = y.extent();
  const std::size_t block = channel_block<T>(be, s.channels), blocks = s.channels / block, plane = s.plane();
  be.parallel(s.images * blocks, [&](std::size_t task) {
    const std::size_t image = images.first + task / blocks, b = task % blocks, first = task * block * plane;
    const T* from = raw(x) + first;
    T* to = raw(y) + first;
    if (of_channels) {
      for (std::size_t lane = 0; lane < block; ++lane) {
        const std::size_t channel = b * block + lane;
        const std::uint32_t word = random_words(key, image, static_cast<std::uint32_t>(channel / 4))[channel % 4];
        for (std::size_t i = lane; i < plane * block; i += block) to[i] = rule(from[i], word);
      }
      return;
    }
    if constexpr (std::is_same_v<T, float>)
      if (block > 1) return detail::drop_block<detail::native_lanes>(rule, key, image, b, plane, from, to);
    constexpr std::size_t run = detail::word_run::most - 4;
    detail::word_run words;
    for (std::size_t i = 0; i < plane; i += run) {
      const std::size_t count = (std::min)(run, plane - i);
      words.draw(key, image, b * plane + i, count);
      for (std::size_t k = 0; k < count; ++k) to[i + k] = rule(from[i + k], words[k]);
    }
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
