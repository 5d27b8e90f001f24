#pragma once

#include <cstddef>

#include <softscore/core/error.hpp>
#include <softscore/core/shape.hpp>

namespace softscore {

/// A 'same' convolution of stride 1: an odd square kernel, zeros outside the image, so that the output is as high and
/// as wide as the input. `images` is the largest batch that will be asked for.
struct conv2d_shape {
  std::size_t images{}, in_channels{}, out_channels{}, height{}, width{}, kernel{};

  constexpr shape input(std::size_t count) const { return {count, in_channels, height, width}; }
  constexpr shape output(std::size_t count) const { return {count, out_channels, height, width}; }
  /// PyTorch's order: out, in, row, column.
  constexpr shape weight() const { return {out_channels, in_channels, kernel, kernel}; }
  /// Rows and columns of zeros around the image.
  constexpr std::size_t radius() const { return kernel / 2; }
  /// Weights of one output channel: PyTorch's fan-in.
  constexpr std::size_t fan_in() const { return in_channels * kernel * kernel; }
};

/// Throws `error` unless the sizes are positive and the kernel is odd.
inline void require_valid(const conv2d_shape& s) {
  require(s.images > 0, "images", s.images, "at least 1");
  require(s.in_channels > 0, "in_channels", s.in_channels, "at least 1");
  require(s.out_channels > 0, "out_channels", s.out_channels, "at least 1");
  require(s.height > 0, "height", s.height, "at least 1");
  require(s.width > 0, "width", s.width, "at least 1");
  require(s.kernel % 2 == 1, "kernel", s.kernel, "odd, so that the output is as large as the input");
}

}  // namespace softscore
