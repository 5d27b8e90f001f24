#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <softscore/backend/channels.hpp>
#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// A thread for each element. Kernel arguments: the body.
template <class Body, class T>
struct map_channels_task {
  const T* x;
  const T* v;
  T* y;
  std::size_t images, channels, plane;
  std::size_t each;  // the channels if v has a row for each image, 0 if it has one for all

  grid launch() const { return image_grid(images, channels * plane); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    const Body body = *reinterpret_cast<const Body*>(arguments);
    const std::size_t elements = channels * plane;
    each_element_of_images(group, elements, [&](std::size_t image, std::size_t i) {
      const std::size_t at = image * elements + i;
      y[at] = body(x[at], v[image * each + narrow(i) / narrow(plane)]);
    });
  }
};

// The sum over each plane of a, or of a times b unless that is null, in double: a block for each plane.
template <class T>
struct plane_dots_task {
  static constexpr std::size_t threads = 128;
  const T* a;
  const T* b;
  T* out;
  std::size_t planes, plane;

  grid launch() const { return {planes, threads, threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const std::size_t first = group.block() * plane;
    group.each_thread([&](std::size_t t) {
      double sum = 0;
      for (std::uint32_t i = narrow(t); i < narrow(plane); i += narrow(threads)) {
        const auto factor = static_cast<double>(a[first + i]);
        sum += b != nullptr ? factor * static_cast<double>(b[first + i]) : factor;
      }
      sums[t] = sum;
    });
    add_up(group, sums);
    group.each_thread([&](std::size_t t) {
      if (t == 0) out[group.block()] = static_cast<T>(sums[0]);
    });
  }
};

}  // namespace detail

/// y(n, c, p) = body(x(n, c, p), v(n, c)), as on the serial backend.
template <class Device, class Body, class T>
void map_channels(device_backend<Device>& be, const Body& body, const_view<T, cuda_space> x,
                  const_view<T, cuda_space> v, view<T, cuda_space> y) {
  static_assert(std::is_trivially_copyable_v<Body>, "softscore: a body that goes to a device holds plain values");
  const shape s = y.extent();
  be.note(detail::map_channels_task<Body, T>{raw(x), raw(v), raw(y), s.images, s.channels, s.plane(),
                                             v.extent().images == 1 ? 0 : s.channels},
          body);
}

/// out (N,C) = the sums over the pixels of a times b, of (N,C,H,W).
template <class Device, class T>
void dot_pixels(device_backend<Device>& be, const_view<T, cuda_space> a, const_view<T, cuda_space> b,
                view<T, cuda_space> out) {
  be.note(detail::plane_dots_task<T>{raw(a), raw(b), raw(out), out.size(), a.extent().plane()});
}

/// out (N,C) = the sums over the pixels of x (N,C,H,W).
template <class Device, class T>
void sum_pixels(device_backend<Device>& be, const_view<T, cuda_space> x, view<T, cuda_space> out) {
  be.note(detail::plane_dots_task<T>{raw(x), nullptr, raw(out), out.size(), x.extent().plane()});
}

}  // namespace softscore::inline SOFTSCORE_ABI
