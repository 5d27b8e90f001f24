#pragma once

#include <array>
#include <cstddef>
#include <string>

#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A group norm inside a block: its `weight` and `bias` (C), a shift before it, a scale and shift of its result, and
/// the activation that follows, all in one pass.
class block_norm {
 public:
  block_norm() = default;
  block_norm(std::size_t groups, double epsilon, activation then)
      : sizes_{.groups = groups, .epsilon = epsilon, .then = then} {}

  /// Throws `error` unless the groups divide the channels.
  void place(placement& to, const std::string& name, std::size_t channels) {
    require(sizes_.groups > 0 && channels % sizes_.groups == 0, "the number of groups of " + name, sizes_.groups,
            "a divisor of its number of channels, " + std::to_string(channels));
    channels_ = channels;
    weight_ = to.layout().add(name + ".weight", {channels}, 1, 0);
    bias_ = to.layout().add(name + ".bias", {channels}, 0, 0);
  }

  template <class Be, class T>
  auto plan(planning<Be, T>& with, const shape& in) const {
    group_norm_shape s = sizes_;
    s.sizes = in.with_images(with.images());
    return make_group_norm<T>(with.backend(), s);
  }

  /// y = then(norm(x + shift) (1 + a) + b); shift (N,C) and modulation, a before b, (N,2C) may be empty. x
  /// may be in two parts.
  template <class Be, class T, class Plan>
  void forward(Be& be, const pass<Be, T>& p, joined_in_of<Be, T> x, in_of<Be, T> shift, in_of<Be, T> modulation,
               out_of<Be, T> y, Plan& plan) const {
    group_norm_forward(be, plan, x, shift, at(weight_, p.parameters), at(bias_, p.parameters), modulation, y);
  }
  /// Sets dx, which may be dy, and dshift (N,C) and dmodulation (N,2C) unless they are empty.
  template <class Be, class T, class Plan>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> shift, in_of<Be, T> modulation,
                in_of<Be, T> dy, out_of<Be, T> dx, out_of<Be, T> dshift, out_of<Be, T> dmodulation, Plan& plan) const {
    group_norm_backward(be, plan, x, shift, at(weight_, p.parameters), at(bias_, p.parameters), modulation, dy, dx,
                        at(weight_, p.gradients), at(bias_, p.gradients), dshift, dmodulation);
  }
  /// Without shift and modulation: sets `sum`, unless it is empty, to the gradient in x plus that of the paths beside
  /// the norm and, for each part with `add`, plus its previous content. Overwrites dy. If x is in two parts, `sum` is
  /// too.
  template <class Be, class T, class Plan>
  void backward_into(Be& be, const pass<Be, T>& p, joined_in_of<Be, T> x, out_of<Be, T> dy, in_of<Be, T> beside,
                     const std::array<bool, 2>& add, joined_out_of<Be, T> sum, Plan& plan) const {
    using constant = view_of<Be, const T>;
    const constant none{};
    const joined_in_of<Be, T> held{add[0] ? constant{sum.first} : none, add[1] ? constant{sum.second} : none};
    const view_of<Be, T> no_gradient{};
    group_norm_backward(be, plan, x, none, at(weight_, p.parameters), at(bias_, p.parameters), none, constant{dy}, dy,
                        at(weight_, p.gradients), at(bias_, p.gradients), no_gradient, no_gradient,
                        sum.empty() ? none : beside, held, sum);
  }

 private:
  template <class V>
  V at(std::size_t offset, V flat) const {
    return flat.empty() ? V{} : flat.slice(offset, {1, channels_, 1, 1});
  }

  group_norm_shape sizes_{};
  std::size_t channels_{}, weight_{}, bias_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI
