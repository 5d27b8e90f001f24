#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A dense layer on a whole image, as at the end of a classifier: x (N,C,H,W), flattened in this order, -> y (N,O,1,1).
/// Its parameters are `weight` (O,C H W) and `bias` (O), so a network with it accepts only one image size.
class dense : public prepares_nothing {
 public:
  explicit dense(std::size_t outputs, bool bias = true) : outputs_{outputs}, has_bias_{bias} {}

  shape place(placement& to, const std::string& name, const shape& in) {
    require(in.plane() > 0, "the input of a dense layer", in, "of a known height and width");
    require(outputs_ > 0, "outputs of a dense layer", outputs_, "at least 1");
    inputs_ = in.per_image();
    const double spread = 1 / std::sqrt(static_cast<double>(inputs_));
    weight_ = to.add(name + ".weight", {outputs_, inputs_}, 0, spread);
    if (has_bias_) bias_ = to.add(name + ".bias", {outputs_}, 0, spread);
    return output(in);
  }
  shape output(const shape& in) const {
    require(inputs_ == 0 || in.per_image() == inputs_, "the input of a dense layer", in,
            "of the number of elements that it was made for, " + std::to_string(inputs_));
    return {1, outputs_, 1, 1};
  }

  template <class Be, class T>
  struct state {
    planned_array<Be, T> flat, d_flat;  // (N,C,H,W) in plain order, if activations have another order
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    if (in.plane() == 1) return {};
    const typename planning<Be, T>::temporary_scope scope{with};
    const auto d_flat = with.temporary(in);
    return {with.keep(in), d_flat};
  }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    if (x.extent().plane() > 1) unpack(be, x, m.flat.view(p.images));
    linear_forward(be, rows(x, p, m), weight_.in(p.parameters), bias_.in(p.parameters), y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    const bool turns = !dx.empty() && x.extent().plane() > 1;
    const view_of<Be, T> d_flat = turns ? m.d_flat.view(p.images) : dx;
    linear_backward(be, rows(x, p, m), weight_.in(p.parameters), dy,
                    d_flat.empty() ? d_flat : d_flat.slice(0, {p.images, inputs_, 1, 1}), weight_.in(p.gradients),
                    bias_.in(p.gradients));
    if (turns) pack(be, d_flat, dx);
  }

 private:
  template <class Be, class T>
  view_of<Be, const T> rows(view_of<Be, const T> x, const pass<Be, T>& p, state<Be, T>& m) const {
    const view_of<Be, const T> plain = x.extent().plane() > 1 ? view_of<Be, const T>{m.flat.view(p.images)} : x;
    return plain.slice(0, {p.images, inputs_, 1, 1});
  }

  std::size_t outputs_, inputs_{};
  bool has_bias_;
  parameter_slice weight_, bias_;
};
static_assert(Layer<dense, archetype_backend, float> && Layer<dense, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
