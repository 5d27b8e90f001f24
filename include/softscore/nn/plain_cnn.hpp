#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer_norm_gelu.hpp>
#include <softscore/nn/layered_network.hpp>
#include <softscore/nn/named.hpp>
#include <softscore/nn/sequential.hpp>
#include <softscore/nn/time_embedding.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
using plain_cnn_block = sequential<named<conv2d>, named<layer_norm_gelu>>;
using plain_cnn_body = sequential<named<sequential<std::vector<plain_cnn_block>>>, named<conv2d>>;

inline plain_cnn_body plain_cnn_layers(const std::vector<std::size_t>& widths, std::size_t outputs) {
  std::vector<plain_cnn_block> blocks;
  for (std::size_t k = 0; k < widths.size(); ++k)
    blocks.emplace_back(named{"conv", conv2d{widths[k], 7}}, named{"norm", layer_norm_gelu{k == 0}});
  return plain_cnn_body{named{"blocks", sequential{std::move(blocks)}}, named{"final", conv2d{outputs, 3}}};
}
}  // namespace detail

/// The convolutional network of Knottenbelt n.d., Section 1a: blocks of 7x7 convolution, layer norm over (C,H,W) and
/// GELU, with an embedding of time added per channel after the first block. A 3x3 convolution follows, back to the
/// image's channels or to `outputs` times as many: two if the variance is learned too (Nichol and Dhariwal 2021).
/// Widths 16,32,32,16 on 1 x 28 x 28 give 291,217 parameters, and widths 16,32,64,32,16 give 542,161. Its layer norms
/// have a gain per pixel, so it accepts images of one shape.
class plain_cnn : public layered_network<detail::plain_cnn_body, time_embedding> {
 public:
  static constexpr std::size_t most_width = 4096, most_side = 4096, most_outputs = 16;

  /// `image` is the shape of the images it maps; their number does not matter. Parameters are 0 until they are set or
  /// initialized. Throws `error` for an empty list of widths and for sizes out of range.
  template <class = when_called>
  explicit plain_cnn(std::vector<std::size_t> widths = {16, 32, 32, 16}, const shape& image = {1, 1, 28, 28},
                     std::size_t outputs = 1)
      : layered_network{detail::plain_cnn_layers(checked(widths, image, outputs), outputs * image.channels),
                        time_embedding{widths.front()}, image, "", "time"},
        widths_{std::move(widths)} {}

  const std::vector<std::size_t>& widths() const { return widths_; }

 private:
  template <class = when_called>
  static const std::vector<std::size_t>& checked(const std::vector<std::size_t>& widths, const shape& image,
                                                 std::size_t outputs) {
    require(outputs >= 1 && outputs <= most_outputs, "the number of outputs", outputs, "between 1 and 16");
    require(!widths.empty() && widths.size() <= 64, "the number of widths", widths.size(), "between 1 and 64");
    for (const std::size_t width : widths)
      require(width >= 1 && width <= most_width, "a width", width, "between 1 and 4096");
    require(image.channels >= 1 && image.channels <= most_width, "the image's channels", image.channels,
            "between 1 and 4096");
    require(image.height >= 1 && image.height <= most_side && image.width >= 1 && image.width <= most_side,
            "the image's shape", image, "between 1 and 4096 pixels high and wide");
    return widths;
  }

  std::vector<std::size_t> widths_;
};
static_assert(Network<plain_cnn, archetype_backend, float> && Network<plain_cnn, archetype_backend, double>);
static_assert(Network<plain_cnn, archetype_backend, float, c_noise>);

}  // namespace softscore::inline SOFTSCORE_ABI
