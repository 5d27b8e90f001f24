#pragma once

#include <cstddef>

#include <softscore/backend/bodies.hpp>
#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/backend/cuda/small_product.hpp>
#include <softscore/backend/cuda/sums.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The number of channels that are contiguous in an activation; 1 is the plain order N,C,H,W.
template <class T, class Device>
constexpr std::size_t channel_block(const device_backend<Device>&, std::size_t /*channels*/) {
  return 1;
}
/// Copies a batch in plain order into the backend's activation order, which is the same here.
template <class Device, Scalar T>
void pack(device_backend<Device>& be, const_view<T, cuda_space> plain, view<T, cuda_space> packed) {
  be.convert(view<const T, cuda_space>{plain}, packed);
}
/// Copies an activation back into plain order.
template <class Device, Scalar T>
void unpack(device_backend<Device>& be, const_view<T, cuda_space> packed, view<T, cuda_space> plain) {
  be.convert(view<const T, cuda_space>{packed}, plain);
}

/// Sets y (N,O) = x (N,I) weight (O,I)^T + bias (O), which may be empty.
template <class Device, Scalar T>
void linear_forward(device_backend<Device>& be, const_view<T, cuda_space> x, const_view<T, cuda_space> weight,
                    const_view<T, cuda_space> bias, view<T, cuda_space> y) {
  const std::size_t images = x.extent().images, in = x.extent().per_image(), out = y.extent().per_image();
  detail::multiply_any<T>(be, {raw(x), in, 1, 0}, {raw(weight), 1, in, 0}, raw(y), raw(bias), images, out, in,
                          in * out);
}

/// Computes the gradients with respect to x, weight and bias, from dy. They are set, not added to; each may be empty.
template <class Device, Scalar T>
void linear_backward(device_backend<Device>& be, const_view<T, cuda_space> x, const_view<T, cuda_space> weight,
                     const_view<T, cuda_space> dy, view<T, cuda_space> dx, view<T, cuda_space> dweight,
                     view<T, cuda_space> dbias) {
  const std::size_t images = x.extent().images, in = x.extent().per_image(), out = dy.extent().per_image();
  if (!dx.empty())
    detail::multiply_any<T>(be, {raw(dy), out, 1, 0}, {raw(weight), in, 1, 0}, raw(dx), nullptr, images, in, out,
                            in * out);
  if (!dweight.empty())
    detail::multiply_any<T>(be, {raw(dy), 1, out, 0}, {raw(x), in, 1, 0}, raw(dweight), nullptr, out, in, images,
                            in * out);
  if (!dbias.empty()) be.note(detail::sum_task<T>{raw(dy), raw(dbias), images, out});
}

/// y = GELU(z), element by element.
template <class Device, Scalar T>
void gelu_forward(device_backend<Device>& be, const_view<T, cuda_space> z, view<T, cuda_space> y) {
  be.for_each(gelu_body{}, y, view<const T, cuda_space>{z});
}

/// dz = dy GELU'(z), element by element; dz may be dy.
template <class Device, Scalar T>
void gelu_backward(device_backend<Device>& be, const_view<T, cuda_space> z, const_view<T, cuda_space> dy,
                   view<T, cuda_space> dz) {
  be.for_each(gelu_backward_body{}, dz, view<const T, cuda_space>{dy}, view<const T, cuda_space>{z});
}

}  // namespace softscore::inline SOFTSCORE_ABI
