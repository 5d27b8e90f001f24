#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/activate.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Group norm (Wu and He 2018): each image's channels, in `groups` of equal size, are shifted and scaled to mean 0 and
/// variance 1 over the pixels and channels of a group. Its parameters are `weight` and `bias`, both (C), unless it is
/// made without them. An activation that follows in `sequential` is computed in the same pass.
class group_norm : public prepares_nothing {
 public:
  static constexpr bool backward_in_place = true;

  explicit group_norm(std::size_t groups, double epsilon = 1e-5, bool affine = true)
      : groups_{groups}, epsilon_{epsilon}, affine_{affine} {}

  bool absorb(const activate& next) {
    then_ = next.function();
    return true;
  }

  shape place(placement& to, const std::string& name, const shape& in) {
    const shape out = output(in);
    if (affine_) {
      gain_ = to.add(name + ".weight", {in.channels}, 1, 0);
      bias_ = to.add(name + ".bias", {in.channels}, 0, 0);
    }
    return out;
  }
  shape output(const shape& in) const {
    const shape tried = in.plane() == 0 ? shape{1, in.channels, 1, 1} : in.with_images(1);
    require_valid(group_norm_shape{tried, groups_, epsilon_, then_});
    return in.with_images(1);
  }

  template <class Be, class T>
  struct state {
    group_norm_plan_of<Be, T> plan;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    return {
        make_group_norm<T>(with.backend(), group_norm_shape{in.with_images(with.images()), groups_, epsilon_, then_})};
  }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    using none = view_of<Be, T>;
    group_norm_forward(be, m.plan, x, none{}, gain_.in(p.parameters), bias_.in(p.parameters), none{}, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    if (dx.empty()) {  // the operation requires a dx
      auto unwanted = be.template make<T>(x.extent());
      backward<Be, T>(be, p, x, dy, unwanted.view(), m);
      return;
    }
    using none = view_of<Be, T>;
    group_norm_backward(be, m.plan, x, none{}, gain_.in(p.parameters), bias_.in(p.parameters), none{}, dy, dx,
                        gain_.in(p.gradients), bias_.in(p.gradients), none{}, none{});
  }

 private:
  std::size_t groups_;
  double epsilon_;
  bool affine_;
  activation then_{activation::none};
  parameter_slice gain_, bias_;
};
static_assert(Layer<group_norm, archetype_backend, float> && Layer<group_norm, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
