#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/shape.hpp>

namespace softscore {  // shared

/// The rows and columns of a convolution's kernel. A single number gives a square kernel.
struct kernel_size {
  std::size_t height{}, width{};

  SOFTSCORE_SHARED constexpr kernel_size() {}
  SOFTSCORE_SHARED constexpr kernel_size(std::size_t side) : height{side}, width{side} {}
  SOFTSCORE_SHARED constexpr kernel_size(std::size_t rows, std::size_t columns) : height{rows}, width{columns} {}

  SOFTSCORE_SHARED constexpr std::size_t taps() const { return height * width; }
  SOFTSCORE_SHARED constexpr bool is(std::size_t side) const { return height == side && width == side; }
  SOFTSCORE_SHARED friend constexpr bool operator==(const kernel_size&, const kernel_size&) = default;
};

/// How many rows and columns of zeros a convolution adds around its input.
struct conv2d_padding {
  std::size_t top{}, left{}, bottom{}, right{};

  /// The padding that puts the center of an odd kernel on the first and on the last pixel of every row and column.
  SOFTSCORE_SHARED static constexpr conv2d_padding same() { return all(SIZE_MAX); }
  /// The same number on all four sides; 0 is a 'valid' convolution.
  SOFTSCORE_SHARED static constexpr conv2d_padding all(std::size_t count) { return {count, count, count, count}; }
  SOFTSCORE_SHARED friend constexpr bool operator==(const conv2d_padding&, const conv2d_padding&) = default;
};

/// The sizes of a convolution: a kernel at every `stride`-th row and column of the padded input, starting at the first.
/// The default padding is 'same', for odd kernels only: with stride 1 the output is as high and as wide as the input.
/// `images` is the size of the largest batch.
struct conv2d_shape {
  std::size_t images{}, in_channels{}, out_channels{}, height{}, width{};
  kernel_size kernel{};
  std::size_t stride{1};
  conv2d_padding padding = conv2d_padding::same();

  /// The padding as numbers, even if it is 'same'.
  SOFTSCORE_SHARED constexpr conv2d_padding border() const {
    const std::size_t rows = kernel.height / 2, columns = kernel.width / 2;
    return padding == conv2d_padding::same() ? conv2d_padding{rows, columns, rows, columns} : padding;
  }
  /// Whether the kernel is odd and its center starts and ends on the image, by default or with equivalent numbers.
  SOFTSCORE_SHARED constexpr bool is_same() const {
    const std::size_t rows = kernel.height / 2, columns = kernel.width / 2;
    return kernel.height % 2 == 1 && kernel.width % 2 == 1 && border() == conv2d_padding{rows, columns, rows, columns};
  }

  SOFTSCORE_SHARED constexpr shape input(std::size_t count) const { return {count, in_channels, height, width}; }
  SOFTSCORE_SHARED constexpr shape output(std::size_t count) const {
    return {count, out_channels, out_height(), out_width()};
  }
  SOFTSCORE_SHARED constexpr std::size_t padded_height() const { return height + border().top + border().bottom; }
  SOFTSCORE_SHARED constexpr std::size_t padded_width() const { return width + border().left + border().right; }
  SOFTSCORE_SHARED constexpr std::size_t out_height() const { return (padded_height() - kernel.height) / stride + 1; }
  SOFTSCORE_SHARED constexpr std::size_t out_width() const { return (padded_width() - kernel.width) / stride + 1; }
  /// PyTorch's order: out, in, row, column.
  SOFTSCORE_SHARED constexpr shape weight() const { return {out_channels, in_channels, kernel.height, kernel.width}; }
  /// Weights of one output channel: PyTorch's fan-in.
  SOFTSCORE_SHARED constexpr std::size_t fan_in() const { return in_channels * kernel.taps(); }
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Throws `error` unless the sizes and the stride are positive, the padding is numbers or 'same' for an odd kernel, the
/// kernel fits into the padded input, and the arrays are small enough for memory.
template <class = when_called>
void require_valid(const conv2d_shape& s) {
  require(s.images > 0, "images", s.images, "at least 1");
  require(s.in_channels > 0, "in_channels", s.in_channels, "at least 1");
  require(s.out_channels > 0, "out_channels", s.out_channels, "at least 1");
  require(s.height > 0, "height", s.height, "at least 1");
  require(s.width > 0, "width", s.width, "at least 1");
  require(s.stride > 0, "stride", s.stride, "at least 1");
  require(s.kernel.height > 0, "kernel.height", s.kernel.height, "at least 1");
  require(s.kernel.width > 0, "kernel.width", s.kernel.width, "at least 1");
  if (s.padding == conv2d_padding::same()) {
    require(s.kernel.height % 2 == 1, "kernel.height", s.kernel.height,
            "odd, so that it has a center, or padded by numbers");
    require(s.kernel.width % 2 == 1, "kernel.width", s.kernel.width,
            "odd, so that it has a center, or padded by numbers");
  }
  constexpr std::size_t most = most_bytes / 16;  // for every size, so that sums of a few do not overflow
  const conv2d_padding border = s.border();
  const std::size_t largest = (std::max)(
      {s.height, s.width, s.kernel.height, s.kernel.width, border.top, border.left, border.bottom, border.right});
  require(largest <= most, "the largest of height, width, kernel and padding", largest,
          "at most " + std::to_string(most));
  require(s.kernel.height <= s.padded_height(), "kernel.height", s.kernel.height,
          "at most the height of the padded input, " + std::to_string(s.padded_height()));
  require(s.kernel.width <= s.padded_width(), "kernel.width", s.kernel.width,
          "at most the width of the padded input, " + std::to_string(s.padded_width()));
  // The gradient in x reads dy padded with the rest of the kernel on each side.
  const std::size_t rows = (std::max)(s.padded_height(), s.height + s.kernel.height),
                    columns = (std::max)(s.padded_width(), s.width + s.kernel.width);
  product_of("number of weights of a convolution", {s.out_channels, s.in_channels, s.kernel.height, s.kernel.width},
             most);
  product_of("number of inputs of a convolution, padded", {s.images, s.in_channels, rows, columns}, most);
  product_of("number of outputs of a convolution, padded", {s.images, s.out_channels, rows, columns}, most);
}

namespace detail {

// The same convolution with its padding as numbers, and with a stride no larger than the padded input.
inline conv2d_shape in_numbers(conv2d_shape s) {
  s.padding = s.border();
  s.stride = (std::min)(s.stride, (std::max)(s.padded_height(), s.padded_width()));
  return s;
}

}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
