#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Layer norm over (C,H,W) with `weight` and `bias`, both (C,H,W), then GELU, then, if requested, the image's embedding
/// (N,C) added to every pixel. A gain per pixel ties it to one image size.
class layer_norm_gelu {
 public:
  static constexpr bool backward_in_place = true;

  explicit layer_norm_gelu(bool adds_embedding = false) : adds_embedding_{adds_embedding} {}

  shape place(placement& to, const std::string& name, const shape& in) {
    require(in.plane() > 0, "the input of a layer norm with a gain per pixel", in, "of a known height and width");
    if (adds_embedding_)
      require(to.embedding() == in.channels, "features of the embedding", to.embedding(),
              "as many as the channels that it is added to, " + std::to_string(in.channels));
    one_ = in.with_images(1);
    weight_ = to.layout().add(name + ".weight", {one_.channels, one_.height, one_.width}, 1, 0);
    bias_ = to.layout().add(name + ".bias", {one_.channels, one_.height, one_.width}, 0, 0);
    return one_;
  }
  shape output(const shape& in) const { return in.with_images(1); }

  template <class Be, class T>
  struct state {
    layer_norm_gelu_plan_of<Be, T> plan;
    planned_array<Be, T> dshift;  // (N,C)
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    require(in.with_images(1) == one_, "the input of a layer norm with a gain per pixel", in,
            "of the shape it was made for");
    const typename planning<Be, T>::temporary_scope scope{with};
    return {make_layer_norm_gelu<T>(with.backend(), one_.with_images(with.images())),
            with.temporary({1, one_.channels, 1, 1})};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    layer_norm_gelu_prepare(be, m.plan, at(weight_, parameters), at(bias_, parameters));
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    layer_norm_gelu_forward(be, m.plan, x, at(weight_, p.parameters), at(bias_, p.parameters),
                            adds_embedding_ ? p.embedding : view_of<Be, const T>{}, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    const bool embeds = adds_embedding_ && !p.d_embedding.empty();
    const auto dshift = embeds ? m.dshift.view(p.images) : view_of<Be, T>{};
    layer_norm_gelu_backward(be, m.plan, x, at(weight_, p.parameters), at(bias_, p.parameters), dy, dx,
                             at(weight_, p.gradients), at(bias_, p.gradients), dshift);
    if (embeds) be.combine(p.d_embedding, term{1.0, p.d_embedding}, term{1.0, dshift});
  }

 private:
  template <class V>
  V at(std::size_t offset, V flat) const {
    return flat.empty() ? V{} : flat.slice(offset, one_);
  }

  bool adds_embedding_;
  shape one_{};
  std::size_t weight_{}, bias_{};
};
static_assert(Layer<layer_norm_gelu, archetype_backend, float> && Layer<layer_norm_gelu, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
