#pragma once

#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Layer norm over the channels at each pixel, as transformers apply it to tokens (Ba et al. 2016). Its parameters are
/// `weight` and `bias`, both (C), unless it is made without them.
class layer_norm : public prepares_nothing {
 public:
  static constexpr bool backward_in_place = true;

  explicit layer_norm(double epsilon = 1e-5, bool affine = true) : epsilon_{epsilon}, affine_{affine} {}

  shape place(placement& to, const std::string& name, const shape& in) {
    if (affine_) {
      gain_ = to.add(name + ".weight", {in.channels}, 1, 0);
      bias_ = to.add(name + ".bias", {in.channels}, 0, 0);
    }
    return output(in);
  }
  shape output(const shape& in) const {
    require(epsilon_ >= 0, "epsilon", epsilon_, "at least 0");
    return in.with_images(1);
  }

  template <class Be, class T>
  struct state {
    layer_norm_plan_of<Be, T> plan;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    return {make_layer_norm<T>(with.backend(), in.with_images(with.images()), epsilon_)};
  }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    layer_norm_forward(be, m.plan, x, gain_.in(p.parameters), bias_.in(p.parameters), y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    if (dx.empty()) {  // the operation requires a dx
      auto unwanted = be.template make<T>(x.extent());
      backward<Be, T>(be, p, x, dy, unwanted.view(), m);
      return;
    }
    layer_norm_backward(be, m.plan, x, gain_.in(p.parameters), bias_.in(p.parameters), dy, dx, gain_.in(p.gradients),
                        bias_.in(p.gradients));
  }

 private:
  double epsilon_;
  bool affine_;
  parameter_slice gain_, bias_;
};
static_assert(Layer<layer_norm, archetype_backend, float> && Layer<layer_norm, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
