#pragma once

#include <string>

#include <softscore/backend/activation.hpp>
#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// y = f(x), element by element: SiLU, ReLU, GELU or its tanh form.
class activate : public stateless_layer {
 public:
  static constexpr bool backward_in_place = true;

  explicit activate(activation function) : function_{function} {}

  activation function() const { return function_; }

  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const { return in.with_images(1); }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    activate_forward(be, function_, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                no_memory<Be, T>&) const {
    if (!dx.empty()) activate_backward(be, function_, x, dy, dx);
  }

 private:
  activation function_;
};
static_assert(Layer<activate, archetype_backend, float> && Layer<activate, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
