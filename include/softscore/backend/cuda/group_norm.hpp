#pragma once

#include <cstddef>
#include <type_traits>

#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/backend/cuda/group_norm_backward.hpp>
#include <softscore/backend/cuda/group_norm_forward.hpp>
#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/backend/joined_planes.hpp>
#include <softscore/backend/joined_view.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What a group norm keeps on a device from the forward pass for the backward pass.
template <class T, class Device>
struct device_group_norm {
  group_norm_shape sizes;
  device_array<detail::normalizer, Device> of_groups;                 // (N,groups)
  device_array<detail::channel_coefficients<T>, Device> of_channels;  // (N,C)
  device_array<detail::gradient_sums, Device> sums;                   // (N,C)
  device_array<detail::channel_slopes<T>, Device> slopes;             // (N,C)
};

/// Plans a group norm. Throws `error` if the groups do not divide the channels or a size is 0.
template <class T, class Device>
device_group_norm<T, Device> make_group_norm(device_backend<Device>& be, const group_norm_shape& s) {
  require_valid(s);
  const shape per_channel{s.sizes.images, s.sizes.channels, 1, 1};
  return {s, be.template make_unset<detail::normalizer>({s.sizes.images, s.groups, 1, 1}),
          be.template make_unset<detail::channel_coefficients<T>>(per_channel),
          be.template make_unset<detail::gradient_sums>(per_channel),
          be.template make_unset<detail::channel_slopes<T>>(per_channel)};
}

/// y = then((u gain + bias) (1 + a) + b) with u normalized over each group of x + shift, as on the serial backend, in
/// two kernels. x may be in two parts. y may be x if no backward pass follows.
template <class Device, Scalar T>
void group_norm_forward(device_backend<Device>& be, device_group_norm<T, Device>& plan,
                        const_joined_view<T, cuda_space> x, const_view<T, cuda_space> shift,
                        const_view<T, cuda_space> gain, const_view<T, cuda_space> bias,
                        const_view<T, cuda_space> modulation, view<T, cuda_space> y) {
  const shape s = x.extent();
  const detail::group_norm_parameters<T> of{s.channels, shift, gain, bias, modulation};
  const detail::joined_planes<const T> of_x{x};
  auto* of_channels = raw(plan.of_channels.view());
  be.note(detail::group_norm_moments_task<T>{of_x, of, raw(plan.of_groups.view()), of_channels, s.images,
                                             plan.sizes.groups, s.plane()},
          plan.sizes.epsilon);
  detail::with_activation(plan.sizes.then, [&](auto then) {
    be.note(detail::group_norm_task<T, decltype(then)>{of_x, of_channels, raw(y), s.images, s.channels, s.plane()});
  });
}

/// The gradients with respect to x, gain, bias, shift (N,C) and modulation (N,2C), from dy, as on the serial backend,
/// in three kernels and one for dgain and dbias. dx may be dy. x may be in two parts, and the sum and the second addend
/// with it.
template <class Device, Scalar T>
void group_norm_backward(device_backend<Device>& be, device_group_norm<T, Device>& plan,
                         const_joined_view<T, cuda_space> x, const_view<T, cuda_space> shift,
                         const_view<T, cuda_space> gain, const_view<T, cuda_space> bias,
                         const_view<T, cuda_space> modulation, const_view<T, cuda_space> dy, view<T, cuda_space> dx,
                         view<T, cuda_space> dgain, view<T, cuda_space> dbias, view<T, cuda_space> dshift,
                         view<T, cuda_space> dmodulation, const_view<T, cuda_space> addend = {},
                         const_joined_view<T, cuda_space> addend_2 = {},
                         joined_out_of<device_backend<Device>, T> sum = {}) {
  const shape s = x.extent();
  const detail::group_norm_parameters<T> of{s.channels, shift, gain, bias, modulation};
  const detail::joined_planes<const T> of_x{x};
  const auto* of_channels = raw(plan.of_channels.view());
  auto* sums = raw(plan.sums.view());
  auto* slopes = raw(plan.slopes.view());
  const T* dz = plan.sizes.then == activation::none ? raw(dy) : raw(dx);
  detail::with_activation(plan.sizes.then, [&](auto then) {
    be.note(detail::group_norm_sums_task<T, decltype(then)>{of_x, raw(dy), of_channels, raw(dx), sums, s.images,
                                                            s.channels, s.plane()});
  });
  be.note(detail::group_norm_means_task<T>{of, raw(plan.of_groups.view()), sums, slopes, raw(dshift), raw(dmodulation),
                                           s.images, plan.sizes.groups, s.plane()});
  const joined_view<T, cuda_space> to = sum.empty() ? joined_view<T, cuda_space>{dx} : sum;
  be.note(detail::group_norm_backward_task<T>{
      of_x, dz, of_channels, slopes, raw(addend), detail::joined_planes<const T>{addend_2, x},
      sum.empty() ? detail::joined_planes<T>{to} : detail::joined_planes<T>{to, x}, s.images, s.channels, s.plane()});
  if (!dgain.empty()) be.note(detail::norm_parameters_task<T>{sums, raw(dgain), raw(dbias), s.images, s.channels});
}

}  // namespace softscore::inline SOFTSCORE_ABI
