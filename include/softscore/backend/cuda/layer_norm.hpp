#pragma once

#include <cstddef>

#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/backend/cuda/layer_norm_tasks.hpp>
#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What a layer norm keeps on a device from the forward pass for the backward pass.
template <class T, class Device>
struct device_layer_norm {
  shape sizes;
  double epsilon;
  device_array<detail::pixel_coefficients<T>, Device> of_pixels;  // (N,H,W)
  device_array<detail::gradient_sums, Device> shares;             // (N,C)
};

/// Plans a layer norm over the channels at each pixel, for at most `sizes.images` images. Throws `error` if a size is
/// 0.
template <class T, class Device>
device_layer_norm<T, Device> make_layer_norm(device_backend<Device>& be, const shape& sizes, double epsilon) {
  require(sizes.size() > 0, "the extent of a layer norm", sizes, "at least 1 in every direction");
  detail::require_epsilon(epsilon);
  return {sizes, epsilon,
          be.template make_unset<detail::pixel_coefficients<T>>({sizes.images, 1, sizes.height, sizes.width}),
          be.template make_unset<detail::gradient_sums>({sizes.images, sizes.channels, 1, 1})};
}

/// y = u gain + bias with u normalized over the channels at each pixel, as on the serial backend, in one kernel. y may
/// be x if no backward pass follows.
template <class Device, Scalar T>
void layer_norm_forward(device_backend<Device>& be, device_layer_norm<T, Device>& plan, const_view<T, cuda_space> x,
                        const_view<T, cuda_space> gain, const_view<T, cuda_space> bias, view<T, cuda_space> y) {
  const shape s = x.extent();
  be.note(detail::layer_norm_task<T>{raw(x), raw(gain), raw(bias), raw(y), raw(plan.of_pixels.view()), s.images,
                                     s.channels, s.plane()},
          plan.epsilon);
}

/// The gradients with respect to x, gain and bias, from dy, as on the serial backend. dgain together with dbias may be
/// empty. dx may be dy.
template <class Device, Scalar T>
void layer_norm_backward(device_backend<Device>& be, device_layer_norm<T, Device>& plan, const_view<T, cuda_space> x,
                         const_view<T, cuda_space> gain, const_view<T, cuda_space> /*bias*/,
                         const_view<T, cuda_space> dy, view<T, cuda_space> dx, view<T, cuda_space> dgain,
                         view<T, cuda_space> dbias) {
  const shape s = x.extent();
  const auto* of_pixels = raw(plan.of_pixels.view());
  if (!dgain.empty()) {  // before dx overwrites dy
    auto* shares = raw(plan.shares.view());
    be.note(detail::pixel_norm_sums_task<T>{raw(x), raw(dy), of_pixels, shares, s.images, s.channels, s.plane()});
    be.note(detail::norm_parameters_task<T>{shares, raw(dgain), raw(dbias), s.images, s.channels});
  }
  be.note(detail::layer_norm_backward_task<T>{raw(x), raw(gain), raw(dy), of_pixels, raw(dx), s.images, s.channels,
                                              s.plane()});
}

}  // namespace softscore::inline SOFTSCORE_ABI
