#pragma once

#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/channels.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// y = x + (weight e + bias) at every pixel, where e is the image's embedding of E features: this is how a block of a
/// U-Net receives the time (Ho et al. 2020). Its parameters are `weight` (C,E) and `bias` (C).
class add_embedding : public prepares_nothing {
 public:
  shape place(placement& to, const std::string& name, const shape& in) {
    require(to.embedding() > 0, "features of the embedding", to.embedding(), "at least 1 for a layer that adds it");
    const double spread = 1 / std::sqrt(static_cast<double>(to.embedding()));
    weight_ = to.add(name + ".weight", {in.channels, to.embedding()}, 0, spread);
    bias_ = to.add(name + ".bias", {in.channels}, 0, spread);
    return output(in);
  }
  shape output(const shape& in) const { return in.with_images(1); }

  template <class Be, class T>
  struct state {
    planned_array<Be, T> shift;        // (N,C), or its gradient
    planned_array<Be, T> d_embedding;  // (N,E): this layer's part of it
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    const auto shift = with.temporary({1, in.channels, 1, 1});
    return {shift, with.temporary({1, weight_.extent.channels, 1, 1})};
  }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    const view_of<Be, T> shift = m.shift.view(p.embedding.extent().images);
    linear_forward(be, p.embedding, weight_.in(p.parameters), bias_.in(p.parameters), shift);
    add_channels<Be, T>(be, x, shift, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T>, in_of<Be, T> dy, out_of<Be, T> dx, state<Be, T>& m) const {
    if (!dx.empty()) be.combine(dx, term_of<Be, T>{1.0, dy});
    if (p.gradients.empty() && p.d_embedding.empty()) return;
    const view_of<Be, T> d_shift = m.shift.view(p.images);
    const view_of<Be, T> mine = p.d_embedding.empty() ? p.d_embedding : m.d_embedding.view(p.images);
    sum_pixels(be, dy, d_shift);
    linear_backward(be, p.embedding, weight_.in(p.parameters), d_shift, mine, weight_.in(p.gradients),
                    bias_.in(p.gradients));
    if (!mine.empty()) be.combine(p.d_embedding, term{1.0, p.d_embedding}, term{1.0, mine});
  }

 private:
  parameter_slice weight_, bias_;
};
static_assert(Layer<add_embedding, archetype_backend, float> && Layer<add_embedding, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
