#pragma once

#include <softscore/backend/activate_bodies.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// y = f(z), element by element, for the activation `f`; y may be z.
template <class T>
void activate_forward(serial_backend& be, activation f, const_view<T, host_space> z, view<T, host_space> y) {
  detail::with_activation(f, [&](auto function) { be.for_each(activate_body<decltype(function)>{}, y, z); });
}

/// dz = dy f'(z), element by element; dz may be dy.
template <class T>
void activate_backward(serial_backend& be, activation f, const_view<T, host_space> z, const_view<T, host_space> dy,
                       view<T, host_space> dz) {
  detail::with_activation(f,
                          [&](auto function) { be.for_each(activate_backward_body<decltype(function)>{}, dz, dy, z); });
}

}  // namespace softscore::inline SOFTSCORE_ABI
