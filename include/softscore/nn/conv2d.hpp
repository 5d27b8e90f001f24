#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A convolution with bias: x (N,I,H,W) -> y (N,O,H',W'), H' and W' being H and W over the stride, rounded up. Its
/// parameters are `weight` (O,I,k,k) and `bias` (O).
class conv2d {
 public:
  explicit conv2d(std::size_t out_channels, std::size_t kernel = 3, std::size_t stride = 1)
      : sizes_{.out_channels = out_channels, .kernel = kernel_size{kernel}, .stride = stride} {}

  shape place(placement& to, const std::string& name, const shape& in) {
    sizes_.in_channels = in.channels;
    weight_ = to.layout().add_weight_and_bias(
        name, {sizes_.out_channels, sizes_.in_channels, sizes_.kernel.height, sizes_.kernel.width}, sizes_.fan_in());
    bias_ = weight_ + sizes_.weight().size();
    return output(in);
  }
  shape output(const shape& in) const { return of(in, 1).output(1); }

  template <class Be, class T>
  struct state {
    conv2d_plan_of<Be, T> plan;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    return {make_conv2d<T>(with.backend(), of(in, with.images()), with.scratch())};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    conv2d_prepare(be, m.plan, weight_in(parameters));
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    conv2d_forward(be, m.plan, x, weight_in(p.parameters), bias_in(p.parameters), y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    conv2d_backward(be, m.plan, x, weight_in(p.parameters), dy, dx, weight_in(p.gradients), bias_in(p.gradients));
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
  template <class V>
  V weight_in(V flat) const {
    return flat.empty() ? V{} : flat.slice(weight_, sizes_.weight());
  }
  template <class V>
  V bias_in(V flat) const {
    return flat.empty() ? V{} : flat.slice(bias_, {1, sizes_.out_channels, 1, 1});
  }

  conv2d_shape sizes_;
  std::size_t weight_{}, bias_{};
};
static_assert(Layer<conv2d, archetype_backend, float> && Layer<conv2d, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
