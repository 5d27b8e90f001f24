#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/conv2d_shape.hpp>

/// A convolution of a network, with the batch that the network is trained with.
struct network_convolution {
  std::string network;
  softscore::conv2d_shape sizes;
};

inline std::string text_of(const network_convolution& c) {
  const softscore::conv2d_shape& s = c.sizes;
  const auto text = [](std::size_t n) { return std::to_string(n); };
  return c.network + ", " + text(s.kernel.height) + "x" + text(s.kernel.width) + ", " + text(s.in_channels) + " -> " +
         text(s.out_channels) + (s.stride > 1 ? ", stride " + text(s.stride) : "") + ", " + text(s.height) + "x" +
         text(s.width) + ", batch " + text(s.images);
}

/// The convolutions of U-Nets of four sizes, of the plain CNN, and of other kernels and planes.
inline std::vector<network_convolution> network_convolutions() {
  std::vector<network_convolution> all;
  const auto add = [&](const char* network, std::size_t images, std::size_t in, std::size_t out, std::size_t side,
                       std::size_t kernel, std::size_t stride = 1) {
    all.push_back({network, {images, in, out, side, side, kernel, stride}});
  };
  {
    const char* const unet = "U-Net 32-64-64";  // at 32 x 32
    add(unet, 32, 3, 32, 32, 3);
    add(unet, 32, 32, 32, 32, 3);
    add(unet, 32, 32, 32, 32, 3, 2);
    add(unet, 32, 32, 64, 16, 3);
    add(unet, 32, 64, 64, 16, 3);
    add(unet, 32, 64, 64, 16, 3, 2);
    add(unet, 32, 64, 64, 8, 3);
    add(unet, 32, 128, 64, 8, 3);
    add(unet, 32, 96, 64, 16, 3);
    add(unet, 32, 96, 32, 32, 3);
    add(unet, 32, 64, 32, 32, 3);
    add(unet, 32, 32, 3, 32, 3);
    add(unet, 32, 32, 64, 16, 1);
    add(unet, 32, 64, 192, 16, 1);
    add(unet, 32, 128, 64, 8, 1);
    add(unet, 32, 96, 32, 32, 1);
  }
  {
    const char* const unet = "U-Net 64-128-128-256";  // at 32 x 32
    add(unet, 16, 3, 64, 32, 3);
    add(unet, 16, 64, 64, 32, 3);
    add(unet, 16, 64, 64, 32, 3, 2);
    add(unet, 16, 64, 128, 16, 3);
    add(unet, 16, 128, 128, 16, 3);
    add(unet, 16, 128, 128, 8, 3);
    add(unet, 16, 128, 256, 4, 3);
    add(unet, 16, 256, 256, 4, 3);
    add(unet, 16, 64, 3, 32, 3);
    add(unet, 16, 64, 128, 16, 1);
  }
  {
    const char* const unet = "U-Net 128-256-256-256";  // at 32 x 32
    add(unet, 8, 128, 128, 32, 3);
    add(unet, 8, 128, 128, 32, 3, 2);
    add(unet, 8, 256, 256, 16, 3);
    add(unet, 8, 256, 256, 16, 3, 2);
    add(unet, 8, 256, 256, 8, 3);
    add(unet, 8, 256, 256, 4, 3);
    add(unet, 8, 512, 256, 4, 3);
    add(unet, 8, 384, 128, 32, 3);
    add(unet, 8, 128, 3, 32, 3);
    add(unet, 8, 256, 256, 16, 1);
  }
  {
    const char* const unet = "U-Net of digits";  // at 28 x 28
    add(unet, 64, 1, 32, 28, 3);
    add(unet, 64, 32, 32, 28, 3);
    add(unet, 64, 32, 32, 28, 3, 2);
    add(unet, 64, 32, 64, 14, 3);
    add(unet, 64, 64, 64, 14, 3);
    add(unet, 64, 64, 64, 7, 3);
    add(unet, 64, 96, 32, 28, 3);
    add(unet, 64, 32, 1, 28, 3);
  }
  for (const std::size_t side : {std::size_t{28}, std::size_t{20}, std::size_t{14}}) {
    const char* const cnn = "plain CNN";
    add(cnn, 128, 1, 16, side, 7);
    add(cnn, 128, 16, 32, side, 7);
    add(cnn, 128, 32, 32, side, 7);
    add(cnn, 128, 16, 1, side, 3);
  }
  const char* const other = "others";
  const auto add_sides = [&](std::size_t channels, std::size_t kernel, const std::vector<std::size_t>& sides) {
    for (const std::size_t side : sides)
      add(other, (std::max<std::size_t>)(2, (1 << 20) / (side * side * channels)), channels, channels, side, kernel);
  };
  add_sides(16, 3, {14, 28, 32, 64});
  add_sides(32, 3, {14, 40});
  add_sides(64, 3, {2, 5, 9, 12, 20, 24, 48});
  add_sides(128, 3, {7, 14});
  add_sides(32, 5, {7, 16, 32, 64});
  add_sides(64, 5, {14, 16, 32});
  add_sides(32, 7, {10, 48, 61, 64, 96, 128});
  add_sides(64, 7, {14, 28, 32});
  add_sides(32, 9, {24, 64});
  add_sides(16, 15, {64});
  return all;
}
