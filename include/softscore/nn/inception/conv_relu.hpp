#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/activation.hpp>
#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/named.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// z becomes dy where it was positive, and 0 elsewhere. (Not a class's member, because a kernel must see it.)
struct relu_gradient {
  template <class T>
  SOFTSCORE_HD void operator()(T& z, const T& dy) const {
    z = z > T{} ? dy : T{};
  }
};
}  // namespace detail

/// y = max(0, convolution(x)), with the parameters `conv.weight` and `conv.bias`. It keeps nothing for the backward
/// pass, which convolves again: networks that are mostly evaluated then need half the memory.
class conv_relu {
 public:
  explicit conv_relu(std::size_t out_channels, const conv2d_options& options = {}) : conv_{out_channels, options} {}

  shape place(placement& to, const std::string& name, const shape& in) {
    return conv_.place(to, detail::joined_name(name, "conv"), in);
  }
  shape output(const shape& in) const { return conv_.output(in); }

  template <class Be, class T>
  struct state {
    memory_of<conv2d, Be, T> conv;
    planned_array<Be, T> z;  // before the activation, in the backward pass
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    const auto z = with.temporary(output(in));
    return {conv_.memory(with, in), z};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    conv_.prepare(be, parameters, m.conv);
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    conv_.forward(be, p, x, y, m.conv);
    activate_forward(be, activation::relu, view_of<Be, const T>{y}, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    const view_of<Be, T> z = m.z.view(p.images);
    conv_.forward(be, p, x, z, m.conv);
    be.for_each(detail::relu_gradient{}, z, dy);
    conv_.backward(be, p, x, view_of<Be, const T>{z}, dx, m.conv);
  }

 private:
  conv2d conv_;
};
static_assert(Layer<conv_relu, archetype_backend, float> && Layer<conv_relu, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
