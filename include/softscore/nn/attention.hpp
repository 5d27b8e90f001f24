#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Self-attention over the pixels of an image (Vaswani et al. 2017, Eq. 1): y (N,C,H,W) = proj(softmax(q k^T / sqrt(d))
/// v) with (q, k, v) = qkv(x), in `heads` heads of `head_width` = d channels. Both maps are 1x1 convolutions with bias;
/// their parameters are `qkv.weight` (3 heads d,C,1,1), `qkv.bias`, `proj.weight` (C,heads d,1,1) and `proj.bias`. A
/// norm before it and the sum with x are separate layers: `residual{sequential{group_norm{32}, attention{8, 64}}}`.
class attention {
 public:
  attention(std::size_t heads, std::size_t head_width, qkv_order order = qkv_order::qkv_head_channel)
      : heads_{heads}, width_{head_width}, order_{order}, qkv_{3 * heads * head_width, 1}, proj_{1, 1} {
    require_valid(of(shape{1, 1, 1, 1}, 1));
  }

  shape place(placement& to, const std::string& name, const shape& in) {
    proj_ = conv2d{in.channels, 1};
    qkv_.place(to, name + ".qkv", in);
    proj_.place(to, name + ".proj", inner(in));
    return output(in);
  }
  shape output(const shape& in) const { return in.with_images(1); }

  template <class Be, class T>
  struct state {
    memory_of<conv2d, Be, T> qkv, proj;
    attention_plan_of<Be, T> plan;
    planned_array<Be, T> heads, attended;      // (N,3 heads d,H,W) and (N,heads d,H,W)
    planned_array<Be, T> d_heads, d_attended;  // likewise
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    const auto heads = with.keep(qkv_.output(in)), attended = with.keep(inner(in));
    const auto d_heads = with.temporary(qkv_.output(in)), d_attended = with.temporary(inner(in));
    return {qkv_.memory(with, in),
            proj_.memory(with, inner(in)),
            make_attention<T>(with.backend(), of(in, with.images()), with.scratch()),
            heads,
            attended,
            d_heads,
            d_attended};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    qkv_.prepare(be, parameters, m.qkv);
    proj_.prepare(be, parameters, m.proj);
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    const view_of<Be, T> heads = m.heads.view(p.images), attended = m.attended.view(p.images);
    qkv_.forward(be, p, x, heads, m.qkv);
    attention_forward(be, m.plan, heads, attended);
    proj_.forward(be, p, attended, y, m.proj);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    const view_of<Be, T> attended = m.attended.view(p.images), d_attended = m.d_attended.view(p.images),
                         d_heads = m.d_heads.view(p.images);
    proj_.backward(be, p, attended, dy, d_attended, m.proj);
    attention_backward(be, m.plan, m.heads.view(p.images), attended, d_attended, d_heads);
    qkv_.backward(be, p, x, d_heads, dx, m.qkv);
  }

 private:
  attention_shape of(const shape& in, std::size_t images) const {
    return {images, heads_, width_, in.height, in.width, order_};
  }
  shape inner(const shape& in) const { return {1, heads_ * width_, in.height, in.width}; }

  std::size_t heads_, width_;
  qkv_order order_;
  conv2d qkv_, proj_;
};
static_assert(Layer<attention, archetype_backend, float> && Layer<attention, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
