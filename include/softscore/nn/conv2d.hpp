#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/parameters.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Where a convolution's weight (O,I,kh,kw) and bias (O) lie in the flat parameter array.
struct conv2d_parameters {
  conv2d_shape sizes;
  std::size_t weight{}, bias{};

  template <class Layout>
  conv2d_parameters(Layout& layout, const std::string& prefix, const conv2d_shape& of)
      : sizes{of},
        weight{layout.add_weight_and_bias(prefix, {of.out_channels, of.in_channels, of.kernel.height, of.kernel.width},
                                          of.fan_in())},
        bias{weight + of.weight().size()} {}

  template <class V>
  V weight_in(V flat) const {
    return flat.empty() ? V{} : flat.slice(weight, sizes.weight());
  }
  template <class V>
  V bias_in(V flat) const {
    return flat.empty() ? V{} : flat.slice(bias, {1, sizes.out_channels, 1, 1});
  }
};

/// A convolution with bias. Flat arrays of parameters and gradients are those of the whole network.
template <class Be, class T>
class conv2d {
 public:
  conv2d(Be& be, const conv2d_parameters& parameters, std::size_t images, const scratch_of<Be, T>& scratch)
      : parameters_{parameters}, plan_{make_conv2d<T>(be, with_images(parameters.sizes, images), scratch)} {}

  /// To be called after the parameters changed.
  void prepare(Be& be, view_of<Be, const T> flat) { conv2d_prepare(be, plan_, parameters_.weight_in(flat)); }

  /// x (N,I,H,W) -> y (N,O,H',W') with the sizes that `conv2d_shape` says.
  void forward(Be& be, view_of<Be, const T> flat, view_of<Be, const T> x, view_of<Be, T> y) {
    conv2d_forward(be, plan_, x, parameters_.weight_in(flat), parameters_.bias_in(flat), y);
  }

  /// dy (N,O,H',W') -> dx (N,I,H,W) and this layer's part of `gradients`; either may be empty.
  void backward(Be& be, view_of<Be, const T> flat, view_of<Be, const T> x, view_of<Be, const T> dy, view_of<Be, T> dx,
                view_of<Be, T> gradients) {
    conv2d_backward(be, plan_, x, parameters_.weight_in(flat), dy, dx, parameters_.weight_in(gradients),
                    parameters_.bias_in(gradients));
  }

 private:
  static conv2d_shape with_images(conv2d_shape sizes, std::size_t images) {
    sizes.images = images;
    return sizes;
  }

  conv2d_parameters parameters_;
  conv2d_plan_of<Be, T> plan_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
