#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <softscore/backend/bodies.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What layer norm adds to the variance before it takes the root: PyTorch's default.
inline constexpr double layer_norm_epsilon = 1e-5;

namespace detail {

// Mean and 1 / standard deviation of one image.
template <class T>
struct moments {
  T mean, scale;
};

template <class T>
moments<T> moments_of(const T* x, std::size_t size) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < size; ++i) sum += static_cast<double>(x[i]);
  const double mean = sum / static_cast<double>(size);
  for (std::size_t i = 0; i < size; ++i) {
    const double centered = static_cast<double>(x[i]) - mean;
    squares += centered * centered;
  }
  const double variance = squares / static_cast<double>(size);
  return {static_cast<T>(mean), static_cast<T>(1 / std::sqrt(variance + layer_norm_epsilon))};
}

// One image: y = GELU(gain * u + bias) + shift, u = (x - mean) * scale; shift holds one number per channel or is null.
template <class T>
void layer_norm_gelu_image_forward(const shape& s, moments<T> of_x, const T* x, const T* gain, const T* bias,
                                   const T* shift, T* y) {
  for (std::size_t c = 0, i = 0; c < s.channels; ++c)
    for (std::size_t p = 0; p < s.plane(); ++p, ++i) {
      const T u = (x[i] - of_x.mean) * of_x.scale;
      y[i] = gelu::value(gain[i] * u + bias[i]) + (shift != nullptr ? shift[c] : T{});
    }
}

// One image: sets dx; adds to dgain and dbias and sets dshift unless they are null. With z = gain u + bias and du =
// gain dz: dx = scale (du - mean(du) - u mean(du u)).
template <class T>
void layer_norm_gelu_image_backward(const shape& s, moments<T> of_x, const T* x, const T* gain, const T* bias,
                                    const T* dy, T* dx, T* dgain, T* dbias, T* dshift) {
  const std::size_t size = s.per_image();
  if (dshift != nullptr)
    for (std::size_t c = 0; c < s.channels; ++c) {
      double total = 0;
      for (std::size_t p = 0; p < s.plane(); ++p) total += static_cast<double>(dy[c * s.plane() + p]);
      dshift[c] = static_cast<T>(total);
    }
  double sum = 0, dot = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const T u = (x[i] - of_x.mean) * of_x.scale;
    const T dz = dy[i] * gelu::derivative(gain[i] * u + bias[i]);
    if (dgain != nullptr) {
      dgain[i] += dz * u;
      dbias[i] += dz;
    }
    dx[i] = gain[i] * dz;
    sum += static_cast<double>(dx[i]);
    dot += static_cast<double>(dx[i]) * static_cast<double>(u);
  }
  const T mean_du = static_cast<T>(sum / static_cast<double>(size));
  const T mean_du_u = static_cast<T>(dot / static_cast<double>(size));
  for (std::size_t i = 0; i < size; ++i) {
    const T u = (x[i] - of_x.mean) * of_x.scale;
    dx[i] = of_x.scale * (dx[i] - mean_du - u * mean_du_u);
  }
}

}  // namespace detail

/// What layer norm followed by GELU keeps from the forward pass for the backward pass: mean and scale of each image.
template <class T>
struct serial_layer_norm_gelu {
  shape sizes;
  std::vector<detail::moments<T>> of_images;
};

/// Plans layer norm over (C,H,W) followed by GELU, for at most `sizes.images` images.
template <class T>
serial_layer_norm_gelu<T> make_layer_norm_gelu(serial_backend&, const shape& sizes) {
  require(sizes.size() > 0, "the extent of a layer norm", sizes, "at least 1 in every direction");
  return {sizes, std::vector<detail::moments<T>>(sizes.images)};
}

/// Must be called after gain or bias changed and before the next forward or backward pass.
template <class T>
void layer_norm_gelu_prepare(serial_backend&, serial_layer_norm_gelu<T>&, const_view<T, host_space> /*gain (C,H,W)*/,
                             const_view<T, host_space> /*bias (C,H,W)*/) {}

/// Sets y = GELU(gain * (x - mean) / sqrt(variance + 1e-5) + bias) + shift, with mean and (biased) variance of each
/// image over channels and pixels. gain and bias are (C,H,W); shift is (N,C), (1,C) for all images, or empty.
template <class T>
void layer_norm_gelu_forward(serial_backend&, serial_layer_norm_gelu<T>& plan, const_view<T, host_space> x,
                             const_view<T, host_space> gain, const_view<T, host_space> bias,
                             const_view<T, host_space> shift, view<T, host_space> y) {
  for (std::size_t n = 0; n < x.extent().images; ++n) {
    plan.of_images[n] = detail::moments_of(x.image(n).data(), x.extent().per_image());
    const T* row = shift.empty() ? nullptr : shift.image(shift.extent().images == 1 ? 0 : n).data();
    detail::layer_norm_gelu_image_forward(plan.sizes, plan.of_images[n], x.image(n).data(), raw(gain), raw(bias), row,
                                          y.image(n).data());
  }
}

/// The gradients with respect to x, gain, bias and shift (N,C), from dy, for the x of the last forward pass. They are
/// set, not added to; dgain together with dbias, and dshift, may be empty. dx may be dy.
template <class T>
void layer_norm_gelu_backward(serial_backend&, serial_layer_norm_gelu<T>& plan, const_view<T, host_space> x,
                              const_view<T, host_space> gain, const_view<T, host_space> bias,
                              const_view<T, host_space> dy, view<T, host_space> dx, view<T, host_space> dgain,
                              view<T, host_space> dbias, view<T, host_space> dshift) {
  if (!dgain.empty()) {
    std::fill_n(raw(dgain), dgain.size(), T{});
    std::fill_n(raw(dbias), dbias.size(), T{});
  }
  for (std::size_t n = 0; n < x.extent().images; ++n)
    detail::layer_norm_gelu_image_backward(plan.sizes, plan.of_images[n], x.image(n).data(), raw(gain), raw(bias),
                                           dy.image(n).data(), dx.image(n).data(), raw(dgain), raw(dbias),
                                           dshift.empty() ? nullptr : dshift.image(n).data());
}

}  // namespace softscore::inline SOFTSCORE_ABI
