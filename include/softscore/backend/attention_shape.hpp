#pragma once

#include <cstddef>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/shape.hpp>

namespace softscore {  // shared

/// The order of the channels that hold queries, keys and values, slowest index first. Three separate linear maps give
/// the first, the first version of guided-diffusion has the second, and EDM has the third.
enum class qkv_order { qkv_head_channel, head_qkv_channel, head_channel_qkv };

/// The sizes of attention over the pixels of an image, each of which is a token: `heads` times queries, keys and values
/// of `head_width` numbers, for images of height x width pixels. `images` is the size of the largest batch.
struct attention_shape {
  std::size_t images{}, heads{}, head_width{}, height{}, width{};
  qkv_order order{qkv_order::qkv_head_channel};

  /// The largest sizes that backends support.
  static constexpr std::size_t most_head_width = 256, most_tokens = 4096;

  SOFTSCORE_SHARED SOFTSCORE_HD constexpr std::size_t tokens() const { return height * width; }
  /// Channels of the output.
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr std::size_t channels() const { return heads * head_width; }
  SOFTSCORE_SHARED constexpr shape input(std::size_t count) const { return {count, 3 * channels(), height, width}; }
  SOFTSCORE_SHARED constexpr shape output(std::size_t count) const { return {count, channels(), height, width}; }
  /// The channel of the input that holds number `c` of a head's queries (`which` = 0), keys (1) or values (2).
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr std::size_t channel(std::size_t which, std::size_t head,
                                                              std::size_t c) const {
    switch (order) {
      case qkv_order::head_qkv_channel:
        return (3 * head + which) * head_width + c;
      case qkv_order::head_channel_qkv:
        return 3 * (head * head_width + c) + which;
      default:
        return (which * heads + head) * head_width + c;
    }
  }
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Throws `error` unless the sizes are positive, a head is at most 256 wide and there are at most 4096 tokens.
inline void require_valid(const attention_shape& s) {
  require(s.images > 0, "images", s.images, "at least 1");
  require(s.heads > 0, "heads", s.heads, "at least 1");
  require(s.head_width > 0 && s.head_width <= attention_shape::most_head_width, "head_width", s.head_width,
          "between 1 and 256");
  require(s.height > 0, "height", s.height, "at least 1");
  require(s.width > 0, "width", s.width, "at least 1");
  product_of("number of tokens of an image", {s.height, s.width}, attention_shape::most_tokens);
  product_of("number of channels of queries, keys and values", {s.images, 3, s.heads, s.head_width, s.tokens()});
}

/// Throws `error` unless a view of queries, keys and values has the planned extent, with at most as many images as
/// planned.
inline void require_fits(const attention_shape& s, const shape& qkv) {
  require(qkv.channels == s.input(1).channels, "the number of channels of queries, keys and values", qkv.channels,
          "3 * heads * head_width of the attention that was planned");
  require(qkv.height == s.height && qkv.width == s.width, "the extent of queries, keys and values", qkv,
          "as high and wide as the attention that was planned");
  require(qkv.images <= s.images, "the number of images", qkv.images, "at most that of the attention that was planned");
}

}  // namespace softscore::inline SOFTSCORE_ABI
