#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/parameters.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A dense layer y = weight x + bias, whose weight (O,I) and bias (O) are in the flat parameter array. It keeps nothing
/// between the passes.
class linear {
 public:
  template <class Layout>
  linear(Layout& layout, const std::string& prefix, std::size_t inputs, std::size_t outputs)
      : inputs_{inputs},
        outputs_{outputs},
        weight_{layout.add_weight_and_bias(prefix, {outputs, inputs}, inputs)},
        bias_{weight_ + outputs * inputs} {}

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }

  /// x (N,I) -> y (N,O).
  template <class Be, class T>
  void forward(Be& be, view_of<Be, const T> flat, in_of<Be, T> x, out_of<Be, T> y) const {
    linear_forward(be, x, weight_in(flat), bias_in(flat), y);
  }

  /// dy (N,O) -> dx (N,I), which may be empty, and this layer's part of `gradients`.
  template <class Be, class T>
  void backward(Be& be, view_of<Be, const T> flat, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                out_of<Be, T> gradients) const {
    linear_backward(be, x, weight_in(flat), dy, dx, weight_in(gradients), bias_in(gradients));
  }

 private:
  template <class V>
  V weight_in(V flat) const {
    return flat.slice(weight_, {outputs_, inputs_, 1, 1});
  }
  template <class V>
  V bias_in(V flat) const {
    return flat.slice(bias_, {1, outputs_, 1, 1});
  }

  std::size_t inputs_, outputs_, weight_, bias_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
