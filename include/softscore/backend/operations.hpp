#pragma once

#include <cstddef>
#include <utility>

#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/concept.hpp>
#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

// The heavy operations of networks are free functions that take the backend first; each backend has its own overloads.
// Where an array may be empty, an empty view means "not wanted".

/// The types of the things that a backend's operations keep between calls.
template <class Be, class T>
using scratch_of = decltype(make_scratch<T>(std::declval<Be&>()));
template <class Be, class T>
using conv2d_plan_of = decltype(make_conv2d<T>(std::declval<Be&>(), conv2d_shape{}, std::declval<scratch_of<Be, T>>()));
template <class Be, class T>
using layer_norm_gelu_plan_of = decltype(make_layer_norm_gelu<T>(std::declval<Be&>(), shape{}));
template <class Be, class T>
using attention_plan_of =
    decltype(make_attention<T>(std::declval<Be&>(), attention_shape{}, std::declval<scratch_of<Be, T>>()));

/// `channel_block<T>(be, channels)` is how many channels lie side by side in an activation: 1 for the plain order
/// N,C,H,W, a divisor of `channels` otherwise. Between the layers activations have this order; `pack` and `unpack`
/// convert at the ends of a network. The logical shape stays (N,C,H,W).
template <class Be, class T>
concept OrdersChannels = requires(Be& be, view_of<Be, const T> from, view_of<Be, T> to) {
  { channel_block<T>(be, std::size_t{}) } -> std::convertible_to<std::size_t>;
  pack(be, from, to);
  unpack(be, from, to);
};

/// `make_conv2d<T>(be, sizes, scratch)` plans a 'same' convolution and makes all its memory; plans that never run at
/// the same time share one scratch, from `make_scratch<T>(be)`. `conv2d_prepare` takes new weights, `conv2d_forward`
/// and `conv2d_backward` use the weights last prepared.
template <class Be, class T>
concept Convolves2d = requires(Be& be, conv2d_plan_of<Be, T>& plan, view_of<Be, const T> in, view_of<Be, T> out) {
  conv2d_prepare(be, plan, in);
  conv2d_forward(be, plan, in, in, in, out);
  conv2d_backward(be, plan, in, in, in, out, out, out);
};

/// Layer norm over (C,H,W) with affine gain and bias, then GELU, then a shift per image and channel.
template <class Be, class T>
concept NormalizesLayers =
    requires(Be& be, layer_norm_gelu_plan_of<Be, T>& plan, view_of<Be, const T> in, view_of<Be, T> out) {
      layer_norm_gelu_prepare(be, plan, in, in);
      layer_norm_gelu_forward(be, plan, in, in, in, in, out);
      layer_norm_gelu_backward(be, plan, in, in, in, in, out, out, out, out);
    };

/// Dense layers on (N,I), and GELU by itself.
template <class Be, class T>
concept MultipliesMatrices = requires(Be& be, view_of<Be, const T> in, view_of<Be, T> out) {
  linear_forward(be, in, in, in, out);
  linear_backward(be, in, in, in, out, out, out);
  gelu_forward(be, in, out);
  gelu_backward(be, in, in, out);
};

/// Softmax attention over the pixels of an image. `make_attention<T>(be, sizes, scratch)` plans it and makes all its
/// memory; the scratch is shared as that of convolutions, and may be left out.
template <class Be, class T>
concept Attends = requires(Be& be, attention_plan_of<Be, T>& plan, view_of<Be, const T> in, view_of<Be, T> out) {
  attention_forward(be, plan, in, out);
  attention_backward(be, plan, in, in, in, out);
};

/// A backend that networks run on.
template <class Be, class T>
concept NetworkBackend = Backend<Be, T> && OrdersChannels<Be, T> && Convolves2d<Be, T> && NormalizesLayers<Be, T> &&
                         MultipliesMatrices<Be, T> && Attends<Be, T>;

}  // namespace softscore::inline SOFTSCORE_ABI
