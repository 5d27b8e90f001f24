#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/unet/normalization.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Options of the attention blocks of U-Nets.
struct attention_options {
  std::size_t head_width{};  ///< channels of a head; 0: one head of all channels
  std::size_t groups{};      ///< of the norm in front; 0: no norm
  double epsilon{1e-5};
  double divisor{1};  ///< of the sum with x
  bool bias{true};    ///< of q, k and v
};

namespace detail {
// A dense layer at every pixel: a 1x1 convolution whose weight (O,I) and bias (O) lie at these places.
struct dense_pixels {
  std::size_t inputs{}, outputs{}, weight{}, bias{};
  bool biased{true};

  template <class Be, class T>
  auto plan(planning<Be, T>& with, const shape& in) const {
    return make_conv2d<T>(with.backend(),
                          conv2d_shape{with.images(), inputs, outputs, in.height, in.width, kernel_size{1}},
                          with.scratch());
  }
  template <class V>
  V weight_in(V flat) const {
    return flat.empty() ? V{} : flat.slice(weight, {outputs, inputs, 1, 1});
  }
  template <class V>
  V bias_in(V flat) const {
    return flat.empty() || !biased ? V{} : flat.slice(bias, {1, outputs, 1, 1});
  }
  template <class Be, class T, class Plan>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, Plan& plan,
               in_of<Be, T> addend = {}) const {
    conv2d_forward(be, plan, x, weight_in(p.parameters), bias_in(p.parameters), y, addend);
  }
  template <class Be, class T, class Plan>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx, Plan& plan) const {
    conv2d_backward(be, plan, x, weight_in(p.parameters), dy, dx, weight_in(p.gradients), bias_in(p.gradients));
  }
};
}  // namespace detail

/// Self-attention over the pixels of an image inside a U-Net (Ho et al. 2020): y (N,C,H,W) = (x + to_out(softmax(q k^T
/// / sqrt(d)) v)) / divisor with q, k, v = to_q, to_k, to_v of norm(x). There are C / d heads of d channels, rounded
/// down, so that the inner width may be smaller than C. Parameters have diffusers' names; `to_q`, `to_k` and `to_v` are
/// contiguous, so that one product computes all three.
class attention_block {
 public:
  /// Throws `error` for a divisor that is not above 0.
  explicit attention_block(const attention_options& options)
      : o_{options}, norm_{o_.groups, o_.epsilon, activation::none} {
    require(o_.divisor > 0 && std::isfinite(o_.divisor), "the divisor of an attention block", o_.divisor,
            "positive and finite");
  }

  /// Throws `error` for heads that are wider than the channels, or than attention supports.
  shape place(placement& to, const std::string& name, const shape& in) {
    width_ = o_.head_width == 0 ? in.channels : o_.head_width;
    require(width_ <= in.channels, "the width of the heads of " + name, width_,
            "at most its number of channels, " + std::to_string(in.channels));
    require(width_ <= attention_shape::most_head_width, "the width of the heads of " + name, width_, "at most 256");
    heads_ = in.channels / width_;
    const std::size_t inner = heads_ * width_;
    if (o_.groups > 0) norm_.place(to, name + ".group_norm", in.channels);
    const auto bound = [](std::size_t fan_in) { return 1 / std::sqrt(static_cast<double>(fan_in)); };
    parameter_layout& layout = to.layout();
    qkv_ = {in.channels, 3 * inner, layout.count(), 0, o_.bias};
    for (const char* of : {".to_q", ".to_k", ".to_v"})
      layout.add(name + of + ".weight", {inner, in.channels}, 0, bound(in.channels));
    qkv_.bias = layout.count();
    if (o_.bias)
      for (const char* of : {".to_q", ".to_k", ".to_v"})
        layout.add(name + of + ".bias", {inner}, 0, bound(in.channels));
    out_ = {inner, in.channels, layout.add_weight_and_bias(name + ".to_out.0", {in.channels, inner}, inner), 0, true};
    out_.bias = out_.weight + in.channels * inner;
    return output(in);
  }
  shape output(const shape& in) const { return in.with_images(1); }

  template <class Be, class T>
  struct state {
    std::optional<group_norm_plan_of<Be, T>> norm;
    conv2d_plan_of<Be, T> qkv, out;
    attention_plan_of<Be, T> attention;
    planned_array<Be, T> normal, heads, attended;  // norm(x); q, k, v; the output of the heads
    planned_array<Be, T> scaled, d_attended, d_heads, d_normal;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    const attention_shape sizes{with.images(), heads_, width_, in.height, in.width};
    using array = planned_array<Be, T>;
    const shape heads{1, 3 * sizes.channels(), in.height, in.width}, attended{1, sizes.channels(), in.height, in.width};
    const array none{}, normal = o_.groups > 0 ? with.keep(in) : none, kept_heads = with.keep(heads),
                        kept_attended = with.keep(attended), scaled = o_.divisor != 1 ? with.temporary(in) : none,
                        d_attended = with.temporary(attended), d_heads = with.temporary(heads),
                        d_normal = with.temporary(in);
    return {o_.groups > 0 ? std::optional{norm_.plan(with, in)} : std::nullopt,
            qkv_.plan(with, in),
            out_.plan(with, attended),
            make_attention<T>(with.backend(), sizes, with.scratch()),
            normal,
            kept_heads,
            kept_attended,
            scaled,
            d_attended,
            d_heads,
            d_normal};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    conv2d_prepare(be, m.qkv, qkv_.weight_in(parameters));
    conv2d_prepare(be, m.out, out_.weight_in(parameters));
  }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    const auto heads = m.heads.view(p.images), attended = m.attended.view(p.images);
    if (m.norm) norm_.forward(be, p, x, constant{}, constant{}, m.normal.view(p.images), *m.norm);
    qkv_.forward(be, p, input(p, x, m), heads, m.qkv);
    attention_forward(be, m.attention, constant{heads}, attended);
    out_.forward(be, p, attended, y, m.out, x);
    if (o_.divisor != 1) be.combine(y, term{1 / o_.divisor, y});
  }

  /// With `add`, adds to dx.
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx, state<Be, T>& m,
                bool add = false) const {
    using constant = view_of<Be, const T>;
    const view_of<Be, T> attended = m.attended.view(p.images), d_attended = m.d_attended.view(p.images),
                         heads = m.heads.view(p.images), d_heads = m.d_heads.view(p.images),
                         d_normal = m.d_normal.view(p.images);
    constant d = dy;
    if (o_.divisor != 1) {
      be.combine(m.scaled.view(p.images), term_of<Be, T>{1 / o_.divisor, dy});
      d = m.scaled.view(p.images);
    }
    out_.backward(be, p, attended, d, d_attended, m.out);
    attention_backward(be, m.attention, constant{heads}, constant{attended}, constant{d_attended}, d_heads);
    qkv_.backward(be, p, input(p, x, m), d_heads, d_normal, m.qkv);
    // The two paths meet.
    if (m.norm)
      norm_.backward_into(be, p, x, d_normal, d, {add, false}, dx, *m.norm);
    else if (add && !dx.empty())
      be.combine(dx, term{1.0, dx}, term_of<Be, T>{1.0, d}, term{1.0, d_normal});
    else if (!dx.empty())
      be.combine(dx, term_of<Be, T>{1.0, d}, term{1.0, d_normal});
  }

 private:
  template <class Be, class T>
  static view_of<Be, const T> input(const pass<Be, T>& p, in_of<Be, T> x, state<Be, T>& m) {
    return m.norm ? view_of<Be, const T>{m.normal.view(p.images)} : view_of<Be, const T>{x};
  }

  attention_options o_;
  block_norm norm_;
  std::size_t heads_{}, width_{};
  detail::dense_pixels qkv_, out_;
};
static_assert(Layer<attention_block, archetype_backend, float> && Layer<attention_block, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
