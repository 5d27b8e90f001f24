#pragma once

#include <softscore/backend/activate_bodies.hpp>
#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// y = f(z), element by element, for the activation `f`; y may be z.
template <class Device, class T>
void activate_forward(device_backend<Device>& be, activation f, const_view<T, cuda_space> z, view<T, cuda_space> y) {
  detail::with_activation(
      f, [&](auto function) { be.for_each(activate_body<decltype(function)>{}, y, view<const T, cuda_space>{z}); });
}

/// dz = dy f'(z), element by element; dz may be dy.
template <class Device, class T>
void activate_backward(device_backend<Device>& be, activation f, const_view<T, cuda_space> z,
                       const_view<T, cuda_space> dy, view<T, cuda_space> dz) {
  detail::with_activation(f, [&](auto function) {
    be.for_each(activate_backward_body<decltype(function)>{}, dz, view<const T, cuda_space>{dy},
                view<const T, cuda_space>{z});
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
