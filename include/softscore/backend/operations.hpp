#pragma once

#include <cstddef>
#include <utility>

#include <softscore/backend/activation.hpp>
#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/channels.hpp>
#include <softscore/backend/concept.hpp>
#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/backend/joined_view.hpp>
#include <softscore/backend/map_planes.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

// The expensive operations of networks are free functions that take the backend first; each backend has its own
// overloads. If an array may be empty, an empty view means "not wanted".

/// The types of the objects that a backend's operations keep between calls.
template <class Be, class T>
using scratch_of = decltype(make_scratch<T>(std::declval<Be&>()));
template <class Be, class T>
using conv2d_plan_of = decltype(make_conv2d<T>(std::declval<Be&>(), conv2d_shape{}, std::declval<scratch_of<Be, T>>()));
template <class Be, class T>
using layer_norm_gelu_plan_of = decltype(make_layer_norm_gelu<T>(std::declval<Be&>(), shape{}));
template <class Be, class T>
using attention_plan_of =
    decltype(make_attention<T>(std::declval<Be&>(), attention_shape{}, std::declval<scratch_of<Be, T>>()));
template <class Be, class T>
using group_norm_plan_of = decltype(make_group_norm<T>(std::declval<Be&>(), group_norm_shape{}));
template <class Be, class T>
using layer_norm_plan_of = decltype(make_layer_norm<T>(std::declval<Be&>(), shape{}, double{}));

/// `channel_block<T>(be, channels)` is the number of channels that are contiguous in an activation: 1 for the plain
/// order N,C,H,W, a divisor of `channels` otherwise. Activations have this order between the layers; `pack` and
/// `unpack` convert at the ends of a network. The logical shape stays (N,C,H,W).
template <class Be, class T>
concept OrdersChannels = requires(Be& be, view_of<Be, const T> from, view_of<Be, T> to) {
  { channel_block<T>(be, std::size_t{}) } -> std::convertible_to<std::size_t>;
  pack(be, from, to);
  unpack(be, from, to);
};

/// `make_conv2d<T>(be, sizes, scratch)` plans a convolution and allocates all its memory; plans that never run at the
/// same time share one scratch, from `make_scratch<T>(be)`. `conv2d_prepare` takes new weights; `conv2d_forward` and
/// `conv2d_backward` use the weights prepared last. The views of `conv2d_forward` are x, weight, bias, y and,
/// optionally, an addend to y. x may be a `joined_view`.
template <class Be, class T>
concept Convolves2d = requires(Be& be, conv2d_plan_of<Be, T>& plan, view_of<Be, const T> in, view_of<Be, T> out,
                               joined_in_of<Be, T> in_parts) {
  conv2d_prepare(be, plan, in);
  conv2d_forward(be, plan, in, in, in, out);
  conv2d_forward(be, plan, in_parts, in, in, out, in);
  conv2d_backward(be, plan, in, in, in, out, out, out);
  conv2d_backward(be, plan, in_parts, in, in, out, out, out);
};

/// Layer norm over (C,H,W) with affine gain and bias, then GELU, then a shift per image and channel.
template <class Be, class T>
concept NormalizesLayers =
    requires(Be& be, layer_norm_gelu_plan_of<Be, T>& plan, view_of<Be, const T> in, view_of<Be, T> out) {
      layer_norm_gelu_prepare(be, plan, in, in);
      layer_norm_gelu_forward(be, plan, in, in, in, in, out);
      layer_norm_gelu_backward(be, plan, in, in, in, in, out, out, out, out);
    };

/// `activate_forward(be, f, z, y)` and `activate_backward(be, f, z, dy, dz)` for every `activation` f, also in place.
template <class Be, class T>
concept Activates = requires(Be& be, activation f, view_of<Be, const T> in, view_of<Be, T> out) {
  activate_forward(be, f, in, out);
  activate_backward(be, f, in, in, out);
};

/// `map_planes(be, body, in, out)` maps each channel of each image to one of another size (backend/map_planes.hpp):
/// resampling and pooling are built on it.
template <class Be, class T>
concept MapsPlanes = requires(Be& be, view_of<Be, const T> in, view_of<Be, T> out) {
  map_planes(be, detail::plane_probe{}, in, out);
  map_planes(be, detail::plane_probe{}, in, in, out);
};

/// `map_channels(be, body, x, numbers, y)` combines each element with the number of its image and channel; `dot_pixels`
/// and `sum_pixels` sum over the pixels of each channel.
template <class Be, class T>
concept MapsChannels = requires(Be& be, view_of<Be, const T> in, view_of<Be, T> out) {
  map_channels(be, add_channel{}, in, in, out);
  dot_pixels(be, in, in, out);
  sum_pixels(be, in, out);
};

/// `concatenate(be, a, b, out)` joins the channels of two activations, and `separate(be, from, a, b)` splits them.
template <class Be, class T>
concept JoinsChannels = requires(Be& be, view_of<Be, const T> in, view_of<Be, T> out) {
  concatenate(be, in, in, out);
  separate(be, in, out, out);
};

/// `dropout(be, key, images, probability, of_channels, x, y)` with the mask of `dropout_rule`.
template <class Be, class T>
concept DropsOut = requires(Be& be, noise_key key, image_range images, view_of<Be, const T> in, view_of<Be, T> out) {
  dropout(be, key, images, 0.5, true, in, out);
};

/// `gather_rows(be, table, index, out)` looks up a row of a table for each image, and `scatter_rows(be, index, d,
/// dtable)` is the gradient with respect to the table.
template <class Be, class T>
concept LooksUpRows = requires(Be& be, view_of<Be, const T> in, view_of<Be, T> out) {
  gather_rows(be, in, in, out);
  scatter_rows(be, in, in, out);
};

/// Group norm of x + shift with affine gain and bias, then modulation per image and channel, then an activation. The
/// views of `group_norm_forward` are x, shift, gain, bias, modulation and y. Those of `group_norm_backward` are the
/// first five, dy, dx, dgain, dbias, dshift and dmodulation and, if the gradient in x is added to others, two of those
/// and the sum. x may be a `joined_view`; then the second addend and the sum are too.
template <class Be, class T>
concept NormalizesGroups = requires(Be& be, group_norm_plan_of<Be, T>& plan, view_of<Be, const T> in,
                                    view_of<Be, T> out, joined_in_of<Be, T> in_parts, joined_out_of<Be, T> out_parts) {
  group_norm_forward(be, plan, in, in, in, in, in, out);
  group_norm_forward(be, plan, in_parts, in, in, in, in, out);
  group_norm_backward(be, plan, in, in, in, in, in, in, out, out, out, out, out);
  group_norm_backward(be, plan, in, in, in, in, in, in, out, out, out, out, out, in, in, out);
  group_norm_backward(be, plan, in_parts, in, in, in, in, in, out, out, out, out, out, in, in_parts, out_parts);
};

/// Layer norm over the channels at each pixel with affine gain and bias. The views of `layer_norm_forward` are x, gain,
/// bias and y; those of `layer_norm_backward` are the first three, dy, dx, dgain and dbias.
template <class Be, class T>
concept NormalizesPixels =
    requires(Be& be, layer_norm_plan_of<Be, T>& plan, view_of<Be, const T> in, view_of<Be, T> out) {
      layer_norm_forward(be, plan, in, in, in, out);
      layer_norm_backward(be, plan, in, in, in, in, out, out, out);
    };

/// Dense layers on (N,I), and GELU by itself.
template <class Be, class T>
concept MultipliesMatrices = requires(Be& be, view_of<Be, const T> in, view_of<Be, T> out) {
  linear_forward(be, in, in, in, out);
  linear_backward(be, in, in, in, out, out, out);
  gelu_forward(be, in, out);
  gelu_backward(be, in, in, out);
};

/// Softmax attention over the pixels of an image. `make_attention<T>(be, sizes, scratch)` plans it and allocates all
/// its memory; the scratch is shared as for convolutions, and may be omitted.
template <class Be, class T>
concept Attends = requires(Be& be, attention_plan_of<Be, T>& plan, view_of<Be, const T> in, view_of<Be, T> out) {
  attention_forward(be, plan, in, out);
  attention_backward(be, plan, in, in, in, out);
};

/// A backend that networks run on.
template <class Be, class T>
concept NetworkBackend = Backend<Be, T> && OrdersChannels<Be, T> && Convolves2d<Be, T> && NormalizesLayers<Be, T> &&
                         NormalizesGroups<Be, T> && NormalizesPixels<Be, T> && MultipliesMatrices<Be, T> &&
                         Attends<Be, T> && Activates<Be, T> && MapsPlanes<Be, T> && MapsChannels<Be, T> &&
                         JoinsChannels<Be, T> && DropsOut<Be, T> && LooksUpRows<Be, T>;

}  // namespace softscore::inline SOFTSCORE_ABI
