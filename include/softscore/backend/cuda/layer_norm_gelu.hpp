#pragma once

#include <cstddef>
#include <memory>

#include <softscore/backend/bodies.hpp>
#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/backend/cuda/gemm.hpp>
#include <softscore/backend/serial/layer_norm_gelu.hpp>
#include <softscore/core/cmath.hpp>

namespace softscore {

namespace detail {

// A block per image: its mean and scale, then y = GELU(gain u + bias) + shift in the same kernel.
template <class T>
struct layer_norm_gelu_task {
  static constexpr unsigned most_threads = 1024;
  const T* x;
  const T* gain;
  const T* bias;
  const T* shift;  // null for none
  T* y;
  moments<T>* of_images;
  std::size_t images, channels, plane;
  std::size_t shift_each;  // channels for a shift per image, 0 for one for all

  grid launch() const { return {images, most_threads, most_threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const std::size_t image = group.block(), size = channels * plane;
    const T* in = x + image * size;
    T* out = y + image * size;
    typename Group::template own<double> mean{group};
    typename Group::template own<moments<T>> of_image{group};
    group.each_thread([&](std::size_t t) {
      double sum = 0;
      for (std::size_t i = t; i < size; i += group.threads()) sum += static_cast<double>(in[i]);
      sums[t] = sum;
    });
    add_up(group, sums);
    group.each_thread([&](std::size_t t) { mean(t) = sums[0] / static_cast<double>(size); });
    group.each_thread([&](std::size_t t) {
      double sum = 0;
      for (std::size_t i = t; i < size; i += group.threads()) {
        const double centred = static_cast<double>(in[i]) - mean(t);
        sum += centred * centred;
      }
      sums[t] = sum;
    });
    add_up(group, sums);
    group.each_thread([&](std::size_t t) {
      const double variance = sums[0] / static_cast<double>(size);
      const moments<T> of{static_cast<T>(mean(t)), static_cast<T>(1 / std::sqrt(variance + layer_norm_epsilon))};
      if (t == 0) of_images[image] = of;
      of_image(t) = of;
      for (std::size_t i = t; i < size; i += group.threads()) {
        const T u = (in[i] - of.mean) * of.scale;
        T value = gelu::value(gain[i] * u + bias[i]);
        if (shift != nullptr) value += shift[image * shift_each + i / plane];
        out[i] = value;
      }
    });
  }
};

// Of one image, du = gain dz being the gradient with respect to u: the means of du and of du u.
template <class T>
struct gradient_means {
  T of_du, of_du_u;
};
template <class T>
struct layer_norm_gelu_means_task {
  static constexpr unsigned most_threads = 512;
  const T* x;
  const T* gain;
  const T* bias;
  const T* dy;
  const moments<T>* of_images;
  gradient_means<T>* means;
  std::size_t images, size;

  grid launch() const { return {images, most_threads, 2 * most_threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    double* products = sums + group.threads();
    const std::size_t first = group.block() * size;
    group.each_thread([&](std::size_t t) {
      const moments<T> of = of_images[group.block()];
      double sum = 0, product = 0;
      for (std::size_t i = t; i < size; i += group.threads()) {
        const T u = (x[first + i] - of.mean) * of.scale;
        const T du = gain[i] * (dy[first + i] * gelu::derivative(gain[i] * u + bias[i]));
        sum += static_cast<double>(du);
        product += static_cast<double>(du) * static_cast<double>(u);
      }
      sums[t] = sum;
      products[t] = product;
    });
    add_up(group, sums);
    add_up(group, products);
    group.each_thread([&](std::size_t t) {
      if (t == 0)
        means[group.block()] = {static_cast<T>(sums[0] / static_cast<double>(size)),
                                static_cast<T>(products[0] / static_cast<double>(size))};
    });
  }
};

// A thread per element and chunk of images: dx, and the chunk's share of the gradients of gain and bias. dx may be dy,
// since only this thread reads the element.
template <class T>
struct layer_norm_gelu_backward_task {
  static constexpr std::size_t chunk = 16;
  const T* x;
  const T* gain;
  const T* bias;
  const T* dy;
  const moments<T>* of_images;
  const gradient_means<T>* means;
  T* dx;
  T* shares;  // chunks x 2 x size, the gain's before the bias'; null if not wanted
  std::size_t images, size;

  grid launch() const { return {ceiling(images, chunk) * ceiling(size, flat_threads), flat_threads, 0}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const std::size_t parts = ceiling(size, flat_threads);
    const std::size_t which = group.block() / parts, part = group.block() % parts;
    group.each_thread([&](std::size_t t) {
      const std::size_t i = part * flat_threads + t;
      if (i >= size) return;
      const T g = gain[i], b = bias[i];
      const std::size_t end = (which + 1) * chunk < images ? (which + 1) * chunk : images;
      T of_gain{}, of_bias{};
      for (std::size_t n = which * chunk; n < end; ++n) {
        const moments<T> of = of_images[n];
        const T u = (x[n * size + i] - of.mean) * of.scale;
        const T dz = dy[n * size + i] * gelu::derivative(g * u + b);
        of_gain += dz * u;
        of_bias += dz;
        dx[n * size + i] = of.scale * (g * dz - means[n].of_du - u * means[n].of_du_u);
      }
      if (shares != nullptr) {
        shares[2 * which * size + i] = of_gain;
        shares[(2 * which + 1) * size + i] = of_bias;
      }
    });
  }
};

// The sums of the shares, in the order of the chunks.
template <class T>
struct layer_norm_gelu_shares_task {
  const T* shares;
  T* dgain;
  T* dbias;
  std::size_t chunks, size;
  grid launch() const { return flat_grid(size); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    each_element(group, size, [&](std::size_t i) {
      T of_gain{}, of_bias{};
      for (std::size_t k = 0; k < chunks; ++k) {
        of_gain += shares[2 * k * size + i];
        of_bias += shares[(2 * k + 1) * size + i];
      }
      dgain[i] = of_gain;
      dbias[i] = of_bias;
    });
  }
};

// dshift (rows = N C) from dy, a block per row: a sum over a plane.
template <class T>
struct plane_sums_task {
  const T* in;
  T* out;
  std::size_t planes, plane;
  grid launch() const { return {planes, 128, 128 * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const T* from = in + group.block() * plane;
    group.each_thread([&](std::size_t t) {
      double sum = 0;
      for (std::size_t i = t; i < plane; i += group.threads()) sum += static_cast<double>(from[i]);
      sums[t] = sum;
    });
    add_up(group, sums);
    group.each_thread([&](std::size_t t) {
      if (t == 0) out[group.block()] = static_cast<T>(sums[0]);
    });
  }
};

}  // namespace detail

/// What layer norm followed by GELU keeps on a device from the forward pass for the backward pass.
template <class T, class Device>
struct device_layer_norm_gelu {
  shape sizes;
  device_array<detail::moments<T>, Device> of_images;
  device_array<detail::gradient_means<T>, Device> means;
  device_array<T, Device> shares;
};

/// Plans layer norm over (C,H,W) followed by GELU, for at most `sizes.images` images.
template <class T, class Device>
device_layer_norm_gelu<T, Device> make_layer_norm_gelu(device_backend<Device>& be, const shape& sizes) {
  require(sizes.size() > 0, "the extent of a layer norm", sizes, "at least 1 in every direction");
  const std::size_t chunks = detail::ceiling(sizes.images, detail::layer_norm_gelu_backward_task<T>::chunk);
  return {sizes, be.template make_unset<detail::moments<T>>({sizes.images, 1, 1, 1}),
          be.template make_unset<detail::gradient_means<T>>({sizes.images, 1, 1, 1}),
          be.template make_unset<T>({chunks, 1, 2, sizes.per_image()})};
}

/// Nothing has to be done for new gains or biases.
template <class Device, Scalar T>
void layer_norm_gelu_prepare(device_backend<Device>&, device_layer_norm_gelu<T, Device>&,
                             const_view<T, cuda_space> /*gain (C,H,W)*/, const_view<T, cuda_space> /*bias (C,H,W)*/) {}

/// y = GELU(gain * (x - mean) / sqrt(variance + 1e-5) + bias) + shift, as on the serial backend, in one kernel.
template <class Device, Scalar T>
void layer_norm_gelu_forward(device_backend<Device>& be, device_layer_norm_gelu<T, Device>& plan,
                             const_view<T, cuda_space> x, const_view<T, cuda_space> gain,
                             const_view<T, cuda_space> bias, const_view<T, cuda_space> shift, view<T, cuda_space> y) {
  const shape s = x.extent();
  be.note(detail::layer_norm_gelu_task<T>{raw(x), raw(gain), raw(bias), raw(shift), raw(y), raw(plan.of_images.view()),
                                          s.images, s.channels, s.plane(),
                                          !shift.empty() && shift.extent().images > 1 ? s.channels : 0});
}

/// The gradients with respect to x, gain, bias and shift (N,C), from dy, for the x of the last forward pass. They are
/// set, not added to; dgain together with dbias, and dshift, may be empty. dx may be dy.
template <class Device, Scalar T>
void layer_norm_gelu_backward(device_backend<Device>& be, device_layer_norm_gelu<T, Device>& plan,
                              const_view<T, cuda_space> x, const_view<T, cuda_space> gain,
                              const_view<T, cuda_space> bias, const_view<T, cuda_space> dy, view<T, cuda_space> dx,
                              view<T, cuda_space> dgain, view<T, cuda_space> dbias, view<T, cuda_space> dshift) {
  const shape s = x.extent();
  const std::size_t size = s.per_image();
  const auto of_images = raw(plan.of_images.view());
  const auto means = raw(plan.means.view());
  T* shares = dgain.empty() ? nullptr : raw(plan.shares.view());
  if (!dshift.empty()) be.note(detail::plane_sums_task<T>{raw(dy), raw(dshift), s.images * s.channels, s.plane()});
  be.note(
      detail::layer_norm_gelu_means_task<T>{raw(x), raw(gain), raw(bias), raw(dy), of_images, means, s.images, size});
  be.note(detail::layer_norm_gelu_backward_task<T>{raw(x), raw(gain), raw(bias), raw(dy), of_images, means, raw(dx),
                                                   shares, s.images, size});
  if (!dgain.empty())
    be.note(detail::layer_norm_gelu_shares_task<T>{
        shares, raw(dgain), raw(dbias), detail::ceiling(s.images, detail::layer_norm_gelu_backward_task<T>::chunk),
        size});
}

}  // namespace softscore
