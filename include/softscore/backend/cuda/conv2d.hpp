#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/cuda/concatenate.hpp>
#include <softscore/backend/cuda/conv2d_direct.hpp>
#include <softscore/backend/cuda/conv2d_direct_weights.hpp>
#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/backend/cuda/fft.hpp>
#include <softscore/backend/cuda/gemm.hpp>
#include <softscore/backend/cuda/sums.hpp>
#include <softscore/backend/joined_planes.hpp>
#include <softscore/backend/joined_view.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// Positions in a plane are 32-bit numbers on a device.
inline void require_small(const conv2d_shape& s) {
  const std::size_t pixels = product_of("number of pixels of a padded plane", {s.padded_height(), s.padded_width()});
  require(pixels <= UINT32_MAX / 2, "number of pixels of a padded plane", pixels, "below 2^31 on a device");
}

// The length of the transform for such a convolution, or 0 if it is computed tap by tap. With N at least side + radius
// the cyclic convolution of the plane equals the wanted one inside the image, since nothing wraps into it; and the
// kernel must fit.
inline std::size_t transform_length(const conv2d_shape& s) {
  const std::size_t kernel = s.kernel.height, radius = kernel / 2;
  if (s.stride != 1 || !s.is_same() || !s.kernel.is(kernel) || kernel < 5) return 0;
  const std::size_t needed = (std::max)((std::max)(s.height, s.width) + radius, kernel);
  for (const std::size_t n : {std::size_t{8}, std::size_t{16}, std::size_t{32}, std::size_t{64}})
    if (needed <= n) return n;
  return 0;
}

template <class F>
void with_transform_length(std::size_t n, const F& f) {
  if (n == 8) f(std::integral_constant<std::size_t, 8>{});
  if (n == 16) f(std::integral_constant<std::size_t, 16>{});
  if (n == 32) f(std::integral_constant<std::size_t, 32>{});
  if (n == 64) f(std::integral_constant<std::size_t, 64>{});
}

// The gradient of the bias from the spectra of dy, whose bin 0 holds the sum over each plane.
template <class T>
struct spectral_bias_gradient_task {
  const complex_number<T>* bin;  // images x channels
  T* out;                        // channels
  std::size_t images, channels, accumulate;

  grid launch() const { return column_sums::launch(channels); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    column_sums::add(group, bin, images, channels, [&](std::size_t channel, double sum) {
      out[channel] = static_cast<T>(accumulate != 0 ? static_cast<double>(out[channel]) + sum : sum);
    });
  }
};
}  // namespace detail

/// Arrays that convolutions use in turn: the spectra of inputs, of outputs, and of the gradient of weights.
template <class T, class Device>
struct device_scratch {
  using number = detail::complex_number<T>;
  device_array<number, Device> input, output, weight;

  void reserve(device_backend<Device>& be, device_array<number, Device>& which, std::size_t size) {
    if (which.extent().size() < size) which = be.template make_unset<number>({size, 1, 1, 1});
  }
};
template <class T, class Device>
std::shared_ptr<device_scratch<T, Device>> make_scratch(device_backend<Device>&) {
  return std::make_shared<device_scratch<T, Device>>();
}

/// What a convolution on a device keeps between calls. Kernels of 5 x 5 and larger, on planes that fit, use Fourier
/// transforms: a block transforms a plane in its shared memory, and a product of matrices mixes the channels bin by
/// bin. Other convolutions are computed tap by tap.
template <class T, class Device>
struct device_conv2d {
  conv2d_shape sizes;
  std::size_t length;  // of the transforms, 0 for tap by tap
  std::shared_ptr<device_scratch<T, Device>> scratch;
  device_array<detail::complex_number<T>, Device> weight;  // bins x out x in
  device_array<double, Device> sums;                       // of a weight's gradient tap by tap: chunks x sums

  /// Images that are transformed at once.
  static constexpr std::size_t most_images = 256;
};

/// Plans a convolution; throws `error` for invalid sizes, and for planes of 2^31 pixels or more.
template <class T, class Device>
device_conv2d<T, Device> make_conv2d(device_backend<Device>& be, const conv2d_shape& sizes,
                                     std::shared_ptr<device_scratch<T, Device>> scratch = nullptr) {
  require_valid(sizes);
  if (scratch == nullptr) scratch = make_scratch<T>(be);
  detail::require_small(sizes);
  device_conv2d<T, Device> plan{detail::in_numbers(sizes), detail::transform_length(sizes), std::move(scratch), {}, {}};
  if (plan.length > 0) {
    const std::size_t bins = plan.length * (plan.length / 2 + 1), images = (std::min)(sizes.images, plan.most_images);
    auto& work = *plan.scratch;
    work.reserve(be, work.input, bins * images * sizes.in_channels);
    work.reserve(be, work.output, bins * images * sizes.out_channels);
    work.reserve(be, work.weight, bins * sizes.in_channels * sizes.out_channels);
    plan.weight = be.template make_unset<detail::complex_number<T>>({bins, 1, sizes.out_channels, sizes.in_channels});
  } else {
    plan.sums =
        be.template make_unset<double>({detail::most_direct_chunks(sizes), 1, 1, detail::direct_sums_of(sizes)});
  }
  return plan;
}

/// Must be called after the weights changed and before the next forward or backward pass.
template <class Device, Scalar T>
void conv2d_prepare(device_backend<Device>& be, device_conv2d<T, Device>& plan,
                    const_view<T, cuda_space> weight /*(O,I,kh,kw)*/) {
  const conv2d_shape& s = plan.sizes;
  detail::with_transform_length(plan.length, [&](auto n) {
    be.note(detail::to_spectrum_task<T, n>{raw(weight), raw(plan.weight.view()), s.out_channels * s.in_channels,
                                           s.kernel.height, s.kernel.width, s.kernel.height / 2});
  });
}

/// Sets y (N,O,H',W') = weight (O,I,kh,kw) * x (N,I,H,W) + bias (O) + addend (N,O,H',W'). An empty bias or addend is 0;
/// the addend must not be y. x may be in two parts, which are copied unless the kernel is 1 x 1. `conv2d_shape` gives
/// H' and W'.
template <class Device, Scalar T>
void conv2d_forward(device_backend<Device>& be, device_conv2d<T, Device>& plan,
                    const_joined_view<T, cuda_space> x_or_parts, const_view<T, cuda_space> weight,
                    const_view<T, cuda_space> bias, view<T, cuda_space> y, const_view<T, cuda_space> addend = {}) {
  const bool reads_parts = plan.length == 0 && plan.sizes.kernel.is(1);
  const detail::joined_copy<device_backend<Device>, T> joined{be, x_or_parts, !reads_parts};
  const view<const T, cuda_space> x = joined.view().first;
  using number = detail::complex_number<T>;
  conv2d_shape s = plan.sizes;
  const std::size_t all = x.extent().images, in = s.in_channels, out = s.out_channels;
  const auto add = [&] {
    if (!addend.empty()) be.combine(y, term{1.0, y}, term_of<device_backend<Device>, T>{1.0, addend});
  };
  if (plan.length == 0) {
    s.images = all;
    detail::with_kernel_size(s.kernel, out, [&](auto k, auto channels) {
      be.note(detail::direct_forward_task<T, k, channels>{detail::joined_planes<const T>{joined.view()}, raw(weight),
                                                          raw(bias), raw(y), s});
    });
    return add();
  }
  number* const of_x = raw(plan.scratch->input.view());
  number* const of_y = raw(plan.scratch->output.view());
  const number* const of_weight = raw(plan.weight.view());
  detail::with_transform_length(plan.length, [&](auto n) {
    for (std::size_t first = 0; first < all; first += plan.most_images) {
      const std::size_t images = (std::min)(plan.most_images, all - first);
      be.note(detail::to_spectrum_task<T, n>{raw(x.images(first, images)), of_x, images * in, s.height, s.width, 0});
      // Y(n,o) = sum over i of X(n,i) conj(W(o,i)), in every bin.
      detail::multiply<device_backend<Device>, number>(be, {of_x, in, 1, images * in}, {of_weight, 1, in, out * in},
                                                       {of_y, out, 1, images * out}, nullptr, images, out, in,
                                                       detail::plane_layout<T, n>::bins, {.conjugate_b = 1});
      be.note(detail::from_spectrum_task<T, n>{of_y, raw(y.images(first, images)), raw(bias), images * out, out,
                                               s.height, s.width, 0});
    }
  });
  add();
}

/// Computes the gradients of a loss with respect to x, weight and bias, from dy, the gradient with respect to y. They
/// are set, not added to. An empty gradient is skipped; dbias is empty if dweight is. x may be in two parts, dx is in
/// one.
template <class Device, Scalar T>
void conv2d_backward(device_backend<Device>& be, device_conv2d<T, Device>& plan,
                     const_joined_view<T, cuda_space> x_or_parts, const_view<T, cuda_space> weight,
                     const_view<T, cuda_space> dy, view<T, cuda_space> dx, view<T, cuda_space> dweight,
                     view<T, cuda_space> dbias) {
  const detail::joined_copy<device_backend<Device>, T> joined{be, x_or_parts, plan.length > 0};
  const view<const T, cuda_space> x = joined.view().first;
  using number = detail::complex_number<T>;
  conv2d_shape s = plan.sizes;
  const std::size_t all = dy.extent().images, in = s.in_channels, out = s.out_channels;
  if (plan.length == 0) {
    s.images = all;
    if (!dx.empty())
      detail::with_kernel_size(s.kernel, in, [&](auto k, auto channels) {
        if (s.stride == 1)
          be.note(detail::direct_input_gradient_task<T, k, channels, 1>{raw(weight), raw(dy), raw(dx), s});
        else
          be.note(detail::direct_input_gradient_task<T, k, channels, 0>{raw(weight), raw(dy), raw(dx), s});
      });
    if (dweight.empty()) return;
    const std::size_t chunks = detail::direct_chunks(s);
    detail::with_kernel_size(s.kernel, 1, [&](auto k, auto) {
      be.note(detail::direct_weight_gradient_task<T, k>{detail::joined_planes<const T>{joined.view()}, raw(dy),
                                                        raw(plan.sums.view()), s, chunks});
    });
    be.note(detail::direct_weight_sums_task<T>{raw(plan.sums.view()), raw(dweight), raw(dbias), chunks,
                                               s.weight().size(), out});
    return;
  }
  number* const of_x = raw(plan.scratch->input.view());
  number* const of_y = raw(plan.scratch->output.view());
  number* const of_dweight = raw(plan.scratch->weight.view());
  const number* const of_weight = raw(plan.weight.view());
  if (all == 0 && !dweight.empty()) {
    be.note(detail::zero_task<T>{raw(dweight), dweight.size()});
    if (!dbias.empty()) be.note(detail::zero_task<T>{raw(dbias), dbias.size()});
  }
  if (all == 0) return;
  detail::with_transform_length(plan.length, [&](auto n) {
    constexpr std::size_t bins = detail::plane_layout<T, n>::bins;
    for (std::size_t first = 0; first < all; first += plan.most_images) {
      const std::size_t images = (std::min)(plan.most_images, all - first);
      be.note(detail::to_spectrum_task<T, n>{raw(dy.images(first, images)), of_y, images * out, s.height, s.width, 0});
      if (!dweight.empty()) {
        if (!dbias.empty())
          be.note(detail::spectral_bias_gradient_task<T>{of_y, raw(dbias), images, out, first > 0 ? 1u : 0u});
        be.note(detail::to_spectrum_task<T, n>{raw(x.images(first, images)), of_x, images * in, s.height, s.width, 0});
        // dW(o,i) = sum over n of conj(dY(n,o)) X(n,i).
        detail::multiply<device_backend<Device>, number>(be, {of_y, 1, out, images * out}, {of_x, in, 1, images * in},
                                                         {of_dweight, in, 1, out * in}, nullptr, out, in, images, bins,
                                                         {.conjugate_a = 1, .accumulate = first > 0 ? 1u : 0u});
      }
      if (!dx.empty()) {
        // dX(n,i) = sum over o of dY(n,o) W(o,i); the spectrum of x is no longer needed.
        detail::multiply<device_backend<Device>, number>(be, {of_y, out, 1, images * out}, {of_weight, in, 1, out * in},
                                                         {of_x, in, 1, images * in}, nullptr, images, in, out, bins);
        be.note(detail::from_spectrum_task<T, n>{of_x, raw(dx.images(first, images)), nullptr, images * in, in,
                                                 s.height, s.width, 0});
      }
    }
    if (!dweight.empty())
      be.note(detail::from_spectrum_task<T, n>{of_dweight, raw(dweight), nullptr, out * in, 1, s.kernel.height,
                                               s.kernel.width, s.kernel.height / 2});
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
