#pragma once

#include <cstddef>

#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/backend/cuda/layer_norm_gelu_backward.hpp>
#include <softscore/backend/cuda/layer_norm_gelu_forward.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What layer norm followed by GELU keeps on a device from the forward pass for the backward pass.
template <class T, class Device>
struct device_layer_norm_gelu {
  shape sizes;
  device_array<detail::moments<T>, Device> of_images;
  device_array<double, Device> of_parts;
  device_array<T, Device> shares;
};

/// Plans layer norm over (C,H,W) followed by GELU, for at most `sizes.images` images.
template <class T, class Device>
device_layer_norm_gelu<T, Device> make_layer_norm_gelu(device_backend<Device>& be, const shape& sizes) {
  require(sizes.size() > 0, "the extent of a layer norm", sizes, "at least 1 in every direction");
  const std::size_t chunks = detail::ceiling(sizes.images, detail::layer_norm_gelu_backward_task<T>::chunk);
  return {sizes, be.template make_unset<detail::moments<T>>({sizes.images, 1, 1, 1}),
          be.template make_unset<double>({sizes.images, 1, detail::sum_parts(sizes.per_image()), 2}),
          be.template make_unset<T>({chunks, 1, 2, sizes.per_image()})};
}

/// New gains or biases require no preparation.
template <class Device, Scalar T>
void layer_norm_gelu_prepare(device_backend<Device>&, device_layer_norm_gelu<T, Device>&,
                             const_view<T, cuda_space> /*gain (C,H,W)*/, const_view<T, cuda_space> /*bias (C,H,W)*/) {}

/// y = GELU(gain * (x - mean) / sqrt(variance + 1e-5) + bias) + shift, as on the serial backend, in two kernels. y may
/// not be x.
template <class Device, Scalar T>
void layer_norm_gelu_forward(device_backend<Device>& be, device_layer_norm_gelu<T, Device>& plan,
                             const_view<T, cuda_space> x, const_view<T, cuda_space> gain,
                             const_view<T, cuda_space> bias, const_view<T, cuda_space> shift, view<T, cuda_space> y) {
  const shape s = x.extent();
  double* of_parts = raw(plan.of_parts.view());
  be.note(detail::layer_norm_sums_task<T>{raw(x), of_parts, s.images, s.per_image()});
  be.note(detail::layer_norm_gelu_task<T>{raw(x), raw(gain), raw(bias), raw(shift), raw(y), of_parts,
                                          raw(plan.of_images.view()), s.images, s.channels, s.plane(),
                                          !shift.empty() && shift.extent().images > 1 ? s.channels : 0});
}

/// The gradients with respect to x, gain, bias and shift (N,C), from dy, for the x of the last forward pass. They are
/// set, not added to; dgain together with dbias, and dshift, may be empty. dx may be dy.
template <class Device, Scalar T>
void layer_norm_gelu_backward(device_backend<Device>& be, device_layer_norm_gelu<T, Device>& plan,
                              const_view<T, cuda_space> x, const_view<T, cuda_space> gain,
                              const_view<T, cuda_space> bias, const_view<T, cuda_space> dy, view<T, cuda_space> dx,
                              view<T, cuda_space> dgain, view<T, cuda_space> dbias, view<T, cuda_space> dshift) {
  using last_task = detail::layer_norm_gelu_backward_task<T>;
  const shape s = x.extent();
  const std::size_t size = s.per_image();
  const auto of_images = raw(plan.of_images.view());
  double* of_parts = raw(plan.of_parts.view());
  T* shares = dgain.empty() ? nullptr : raw(plan.shares.view());
  if (!dshift.empty()) be.note(detail::plane_sums_task<T>{raw(dy), raw(dshift), s.images * s.channels, s.plane()});
  be.note(detail::layer_norm_gelu_derivative_task<T>{raw(x), raw(gain), raw(bias), raw(dy), of_images, raw(dx),
                                                     of_parts, s.images, size});
  be.note(last_task{raw(x), raw(gain), of_images, of_parts, raw(dx), shares, s.images, size});
  if (!dgain.empty())
    be.note(detail::layer_norm_gelu_shares_task<T>{shares, raw(dgain), raw(dbias),
                                                   detail::ceiling(s.images, last_task::chunk), size});
}

}  // namespace softscore::inline SOFTSCORE_ABI
