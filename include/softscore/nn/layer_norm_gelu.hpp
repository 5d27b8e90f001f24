#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/parameters.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Where a layer norm's gain and bias, both (C,H,W), lie in the flat parameter array.
struct layer_norm_parameters {
  shape sizes;  // 1 x C x H x W
  std::size_t gain{}, bias{};

  template <class Layout>
  layer_norm_parameters(Layout& layout, const std::string& prefix, const shape& of)
      : sizes{of.with_images(1)},
        gain{layout.add(prefix + ".weight", {of.channels, of.height, of.width}, 1, 0)},
        bias{layout.add(prefix + ".bias", {of.channels, of.height, of.width}, 0, 0)} {}

  template <class V>
  V gain_in(V flat) const {
    return flat.empty() ? V{} : flat.slice(gain, sizes);
  }
  template <class V>
  V bias_in(V flat) const {
    return flat.empty() ? V{} : flat.slice(bias, sizes);
  }
};

/// Layer norm over (C,H,W) with gain and bias, then GELU, then a shift per image and channel where one is given.
template <class Be, class T>
class layer_norm_gelu {
 public:
  layer_norm_gelu(Be& be, const layer_norm_parameters& parameters, std::size_t images)
      : parameters_{parameters}, plan_{make_layer_norm_gelu<T>(be, parameters.sizes.with_images(images))} {}

  /// To be called after the parameters changed.
  void prepare(Be& be, view_of<Be, const T> flat) {
    layer_norm_gelu_prepare(be, plan_, parameters_.gain_in(flat), parameters_.bias_in(flat));
  }

  /// x (N,C,H,W), shift (N,C), (1,C) or empty -> y (N,C,H,W).
  void forward(Be& be, view_of<Be, const T> flat, view_of<Be, const T> x, view_of<Be, const T> shift,
               view_of<Be, T> y) {
    layer_norm_gelu_forward(be, plan_, x, parameters_.gain_in(flat), parameters_.bias_in(flat), shift, y);
  }

  /// The x of the last forward pass and dy (N,C,H,W) -> dx (N,C,H,W), this layer's part of `gradients` and dshift
  /// (N,C); the last two may be empty, and dx may be dy.
  void backward(Be& be, view_of<Be, const T> flat, view_of<Be, const T> x, view_of<Be, const T> dy, view_of<Be, T> dx,
                view_of<Be, T> gradients, view_of<Be, T> dshift) {
    layer_norm_gelu_backward(be, plan_, x, parameters_.gain_in(flat), parameters_.bias_in(flat), dy, dx,
                             parameters_.gain_in(gradients), parameters_.bias_in(gradients), dshift);
  }

 private:
  layer_norm_parameters parameters_;
  layer_norm_gelu_plan_of<Be, T> plan_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
