#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <softscore/backend/serial/layer_norm_gelu.hpp>
#include <softscore/backend/tbb/slots.hpp>

namespace softscore {

/// What layer norm followed by GELU keeps from the forward pass for the backward pass.
template <class T>
struct tbb_layer_norm_gelu {
  shape sizes;
  std::vector<detail::moments<T>> of_images;
  std::vector<T> slots;  // sums of dgain and dbias, (C,H,W) each
};

/// Plans layer norm over (C,H,W) followed by GELU, for at most `sizes.images` images.
template <class T>
tbb_layer_norm_gelu<T> make_layer_norm_gelu(tbb_backend&, const shape& sizes) {
  require(sizes.size() > 0, "the extent of a layer norm", sizes, "at least 1 in every direction");
  return {sizes, std::vector<detail::moments<T>>(sizes.images),
          std::vector<T>(detail::batch_slots{sizes.images}.count() * 2 * sizes.per_image())};
}

/// To be called after gain or bias changed and before the next forward or backward pass.
template <class T>
void layer_norm_gelu_prepare(tbb_backend&, tbb_layer_norm_gelu<T>&, const_view<T, host_space> /*gain (C,H,W)*/,
                             const_view<T, host_space> /*bias (C,H,W)*/) {}

/// y = GELU(gain * (x - mean) / sqrt(variance + 1e-5) + bias) + shift, as on the serial backend.
template <class T>
void layer_norm_gelu_forward(tbb_backend& be, tbb_layer_norm_gelu<T>& plan, const_view<T, host_space> x,
                             const_view<T, host_space> gain, const_view<T, host_space> bias,
                             const_view<T, host_space> shift, view<T, host_space> y) {
  be.parallel(x.extent().images, [&](std::size_t n) {
    plan.of_images[n] = detail::moments_of(x.image(n).data(), x.extent().per_image());
    const T* row = shift.empty() ? nullptr : shift.image(shift.extent().images == 1 ? 0 : n).data();
    detail::layer_norm_gelu_image_forward(plan.sizes, plan.of_images[n], x.image(n).data(), raw(gain), raw(bias), row,
                                          y.image(n).data());
  });
}

/// The gradients with respect to x, gain, bias and shift (N,C), from dy, as on the serial backend.
template <class T>
void layer_norm_gelu_backward(tbb_backend& be, tbb_layer_norm_gelu<T>& plan, const_view<T, host_space> x,
                              const_view<T, host_space> gain, const_view<T, host_space> bias,
                              const_view<T, host_space> dy, view<T, host_space> dx, view<T, host_space> dgain,
                              view<T, host_space> dbias, view<T, host_space> dshift) {
  const std::size_t size = x.extent().per_image();
  const detail::batch_slots slots{x.extent().images};
  be.parallel(slots.count(), [&](std::size_t slot) {
    T* sum = dgain.empty() ? nullptr : plan.slots.data() + slot * 2 * size;
    if (sum != nullptr) std::fill_n(sum, 2 * size, T{});
    for (std::size_t n = slots.first(slot); n < slots.last(slot); ++n)
      detail::layer_norm_gelu_image_backward(plan.sizes, plan.of_images[n], x.image(n).data(), raw(gain), raw(bias),
                                             dy.image(n).data(), dx.image(n).data(), sum,
                                             sum == nullptr ? nullptr : sum + size,
                                             dshift.empty() ? nullptr : dshift.image(n).data());
  });
  if (dgain.empty()) return;
  detail::add_slots(be, plan.slots.data(), 2 * size, slots.count(), raw(dgain), size);
  detail::add_slots(be, plan.slots.data() + size, 2 * size, slots.count(), raw(dbias), size);
}

}  // namespace softscore
