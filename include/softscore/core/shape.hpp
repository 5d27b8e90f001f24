#pragma once

#include <cstddef>
#include <iosfwd>

#include <softscore/core/config.hpp>

namespace softscore {  // shared

/// The extent of a batch: images x channels x height x width, stored in that order (width runs fastest).
struct shape {
  std::size_t images{}, channels{1}, height{1}, width{1};

  /// Elements of one channel of one image.
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr std::size_t plane() const { return height * width; }
  /// Elements of one image, over all its channels: the d of the equations.
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr std::size_t per_image() const { return channels * height * width; }
  /// Elements of the whole batch.
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr std::size_t size() const { return images * channels * height * width; }
  /// The same image extent with a different number of images.
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr shape with_images(std::size_t count) const {
    return {count, channels, height, width};
  }

  SOFTSCORE_SHARED friend constexpr bool operator==(const shape&, const shape&) = default;
};

/// A position inside one image.
struct pixel {
  std::size_t channel{}, row{}, column{};

  /// The pixel's offset in an image of that extent.
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr std::size_t offset(const shape& s) const {
    return (channel * s.height + row) * s.width + column;
  }
  SOFTSCORE_SHARED friend constexpr bool operator==(const pixel&, const pixel&) = default;
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Prints "images x channels x height x width", for error messages. (It is a template so that only code that prints
/// must include <ostream>.)
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const shape& s) {
  return out << s.images << " x " << s.channels << " x " << s.height << " x " << s.width;
}

}  // namespace softscore::inline SOFTSCORE_ABI
