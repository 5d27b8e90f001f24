#pragma once

#include <cstddef>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/shape.hpp>

namespace softscore {  // shared

/// A 'same' convolution: an odd square kernel with its center on every `stride`-th row and column of the image, from
/// the first on, and zeros outside the image. With stride 1 the output is as high and as wide as the input. `images` is
/// the largest batch that will be asked for.
struct conv2d_shape {
  std::size_t images{}, in_channels{}, out_channels{}, height{}, width{}, kernel{}, stride{1};

  SOFTSCORE_SHARED constexpr shape input(std::size_t count) const { return {count, in_channels, height, width}; }
  SOFTSCORE_SHARED constexpr shape output(std::size_t count) const {
    return {count, out_channels, out_height(), out_width()};
  }
  SOFTSCORE_SHARED constexpr std::size_t out_height() const { return (height + stride - 1) / stride; }
  SOFTSCORE_SHARED constexpr std::size_t out_width() const { return (width + stride - 1) / stride; }
  /// PyTorch's order: out, in, row, column.
  SOFTSCORE_SHARED constexpr shape weight() const { return {out_channels, in_channels, kernel, kernel}; }
  /// Rows and columns of zeros around the image.
  SOFTSCORE_SHARED constexpr std::size_t radius() const { return kernel / 2; }
  /// Weights of one output channel: PyTorch's fan-in.
  SOFTSCORE_SHARED constexpr std::size_t fan_in() const { return in_channels * kernel * kernel; }
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Throws `error` unless the sizes and the stride are positive and the kernel is odd.
inline void require_valid(const conv2d_shape& s) {
  require(s.images > 0, "images", s.images, "at least 1");
  require(s.in_channels > 0, "in_channels", s.in_channels, "at least 1");
  require(s.out_channels > 0, "out_channels", s.out_channels, "at least 1");
  require(s.height > 0, "height", s.height, "at least 1");
  require(s.width > 0, "width", s.width, "at least 1");
  require(s.kernel % 2 == 1, "kernel", s.kernel, "odd, so that it has a center");
  require(s.stride > 0, "stride", s.stride, "at least 1");
}

}  // namespace softscore::inline SOFTSCORE_ABI
