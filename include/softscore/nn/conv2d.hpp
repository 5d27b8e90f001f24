#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Options of convolutions, except their channels.
struct conv2d_options {
  kernel_size kernel{3};
  std::size_t stride{1};
  conv2d_padding padding = conv2d_padding::same();
  bool bias{true};
};

/// A convolution: x (N,I,H,W) -> y (N,O,H',W'), with H' = (H + top + bottom - kernel height) / stride + 1, rounded
/// down, and W' likewise. With the default padding, H' and W' are H and W over the stride, rounded up. Its parameters
/// are `weight` (O,I,kernel height,kernel width) and `bias` (O).
class conv2d {
 public:
  explicit conv2d(std::size_t out_channels, kernel_size kernel = 3, std::size_t stride = 1)
      : conv2d{out_channels, conv2d_options{.kernel = kernel, .stride = stride}} {}
  conv2d(std::size_t out_channels, const conv2d_options& options)
      : sizes_{.out_channels = out_channels,
               .kernel = options.kernel,
               .stride = options.stride,
               .padding = options.padding},
        has_bias_{options.bias} {}

  shape place(placement& to, const std::string& name, const shape& in) {
    sizes_.in_channels = in.channels;
    const shape out = output(in);
    const std::vector<std::size_t> weight{sizes_.out_channels, sizes_.in_channels, sizes_.kernel.height,
                                          sizes_.kernel.width};
    const double spread = 1 / std::sqrt(static_cast<double>(sizes_.fan_in()));
    weight_ = to.add(name + ".weight", weight, 0, spread);
    if (has_bias_) bias_ = to.add(name + ".bias", {sizes_.out_channels}, 0, spread);
    return out;
  }
  shape output(const shape& in) const {
    // With unknown height and width, only to refuse options that no input fits.
    if (in.plane() == 0) {
      require_valid(of({1, in.channels, sizes_.kernel.height, sizes_.kernel.width}, 1));
      return {1, sizes_.out_channels, 0, 0};
    }
    const conv2d_shape sizes = of(in, 1);
    require_valid(sizes);
    return sizes.output(1);
  }

  template <class Be, class T>
  struct state {
    conv2d_plan_of<Be, T> plan;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    return {with.convolution(of(in, with.images()))};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    conv2d_prepare(be, m.plan, weight_.in(view_of<Be, const T>{parameters}));
  }
  /// x may be in two parts, in both directions.
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, joined_in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    conv2d_forward(be, m.plan, x, weight_.in(p.parameters), bias_.in(p.parameters), y);
  }
  /// The same plus an addend of the output's shape, which must not be y.
  template <class Be, class T>
  void forward_and_add(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> addend, out_of<Be, T> y,
                       state<Be, T>& m) const {
    conv2d_forward(be, m.plan, x, weight_.in(p.parameters), bias_.in(p.parameters), y, addend);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, joined_in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    conv2d_backward(be, m.plan, x, weight_.in(p.parameters), dy, dx, weight_.in(p.gradients), bias_.in(p.gradients));
  }

 private:
  conv2d_shape of(const shape& in, std::size_t images) const {
    conv2d_shape s = sizes_;
    s.images = images;
    s.in_channels = in.channels;
    s.height = in.height;
    s.width = in.width;
    return s;
  }
  conv2d_shape sizes_;
  bool has_bias_;
  parameter_slice weight_, bias_;
};
static_assert(Layer<conv2d, archetype_backend, float> && Layer<conv2d, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
