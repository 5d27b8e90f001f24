#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include <softscore/backend/serial/layer_norm_gelu.hpp>
#include <softscore/backend/tbb/layer_norm_gelu_blocked.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/backend/tbb/slots.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// The kernels for one image in plain order, with the names of the blocked ones.
template <class T>
struct plain_layer_norm_gelu {
  static moments<T> moments_of(const shape& s, const T* x) { return detail::moments_of(x, s.per_image()); }
  template <class... Arguments>
  static void forward(Arguments... a) {
    layer_norm_gelu_image_forward(a...);
  }
  template <class... Arguments>
  static void backward(Arguments... a) {
    layer_norm_gelu_image_backward(a...);
  }
};

}  // namespace detail

/// What layer norm followed by GELU keeps between calls. Gain and bias are kept in activation order.
template <class T>
struct tbb_layer_norm_gelu {
  shape sizes;
  std::size_t block;                          // contiguous channels
  std::vector<detail::moments<T>> of_images;  // of the last forward pass
  std::vector<T> gain, bias;                  // (C,H,W) in activation order
  std::vector<T> slots;                       // per slot the sums of dgain and of dbias, in activation order

  /// Calls body with the kernels for one image.
  template <class Body>
  void with_kernels(const Body& body) const {
    if constexpr (std::is_same_v<T, float>)
      if (block > 1) return body(detail::blocked_layer_norm_gelu<detail::native_lanes>{});
    body(detail::plain_layer_norm_gelu<T>{});
  }
};

/// Plans layer norm over (C,H,W) followed by GELU, for at most `sizes.images` images.
template <class T>
tbb_layer_norm_gelu<T> make_layer_norm_gelu(tbb_backend& be, const shape& sizes) {
  require(sizes.size() > 0, "the extent of a layer norm", sizes, "at least 1 in every direction");
  const std::size_t size = sizes.per_image();
  return {sizes,
          channel_block<T>(be, sizes.channels),
          std::vector<detail::moments<T>>(sizes.images),
          std::vector<T>(size),
          std::vector<T>(size),
          std::vector<T>(detail::batch_slots{sizes.images}.count() * 2 * size)};
}

/// Must be called after gain or bias, both (C,H,W), changed and before the next forward or backward pass.
template <class T>
void layer_norm_gelu_prepare(tbb_backend& be, tbb_layer_norm_gelu<T>& plan, const_view<T, host_space> gain,
                             const_view<T, host_space> bias) {
  be.parallel(2, [&](std::size_t which) {
    detail::pack_image(raw(which == 0 ? gain : bias), (which == 0 ? plan.gain : plan.bias).data(), plan.sizes.channels,
                       plan.sizes.plane(), plan.block);
  });
}

/// y = GELU(gain * (x - mean) / sqrt(variance + 1e-5) + bias) + shift, as on the serial backend.
template <class T>
void layer_norm_gelu_forward(tbb_backend& be, tbb_layer_norm_gelu<T>& plan, const_view<T, host_space> x,
                             const_view<T, host_space> /*gain*/, const_view<T, host_space> /*bias*/,
                             const_view<T, host_space> shift, view<T, host_space> y) {
  plan.with_kernels([&](auto kernels) {
    be.parallel(x.extent().images, [&](std::size_t n) {
      const T* of_x = x.image(n).data();
      const T* row = shift.empty() ? nullptr : shift.image(shift.extent().images == 1 ? 0 : n).data();
      plan.of_images[n] = kernels.moments_of(plan.sizes, of_x);
      kernels.forward(plan.sizes, plan.of_images[n], of_x, plan.gain.data(), plan.bias.data(), row, y.image(n).data());
    });
  });
}

/// The gradients with respect to x, gain, bias and shift (N,C), from dy, as on the serial backend.
template <class T>
void layer_norm_gelu_backward(tbb_backend& be, tbb_layer_norm_gelu<T>& plan, const_view<T, host_space> x,
                              const_view<T, host_space> /*gain*/, const_view<T, host_space> /*bias*/,
                              const_view<T, host_space> dy, view<T, host_space> dx, view<T, host_space> dgain,
                              view<T, host_space> dbias, view<T, host_space> dshift) {
  const std::size_t size = plan.sizes.per_image();
  const detail::batch_slots slots{x.extent().images};
  plan.with_kernels([&](auto kernels) {
    be.parallel(slots.count(), [&](std::size_t slot) {
      T* of_gain = dgain.empty() ? nullptr : plan.slots.data() + slot * 2 * size;
      T* of_bias = dgain.empty() ? nullptr : of_gain + size;
      if (of_gain != nullptr) std::fill_n(of_gain, 2 * size, T{});
      for (std::size_t n = slots.first(slot); n < slots.last(slot); ++n) {
        const T* of_x = x.image(n).data();
        const T* of_dy = dy.image(n).data();
        T* of_dx = dx.image(n).data();
        T* of_shift = dshift.empty() ? nullptr : dshift.image(n).data();
        const T* gain = plan.gain.data();
        const T* bias = plan.bias.data();
        kernels.backward(plan.sizes, plan.of_images[n], of_x, gain, bias, of_dy, of_dx, of_gain, of_bias, of_shift);
      }
    });
  });
  if (dgain.empty()) return;
  // One task adds the slots of some channels, into the first slot, and stores the result in plain order.
  const std::size_t share = plan.block * plan.sizes.plane();
  be.parallel(2 * plan.sizes.channels / plan.block, [&](std::size_t task) {
    T* first = plan.slots.data() + task * share;
    for (std::size_t slot = 1; slot < slots.count(); ++slot)
      for (std::size_t i = 0; i < share; ++i) first[i] += first[slot * 2 * size + i];
    const std::size_t at = task * share;
    T* to = at < size ? raw(dgain) + at : raw(dbias) + (at - size);
    detail::unpack_image(first, to, plan.block, plan.sizes.plane(), plan.block);
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
