#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/backend/map_planes.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// A thread for each element of the output. Kernel arguments: the body.
template <class Body, class T, std::size_t Inputs>
struct map_planes_task {
  std::array<const T*, Inputs> in;
  std::array<std::size_t, Inputs> heights, widths;
  T* out;
  shape extent;

  grid launch() const { return image_grid(extent.images, extent.per_image()); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    run(group, arguments, std::make_index_sequence<Inputs>{});
  }

 private:
  template <class Group, std::size_t... K>
  SOFTSCORE_HD void run(Group& group, const std::byte* arguments, std::index_sequence<K...>) const {
    const Body body = *reinterpret_cast<const Body*>(arguments);
    const std::size_t elements = extent.per_image();
    const std::uint32_t plane = narrow(extent.plane()), width = narrow(extent.width);
    each_element_of_images(group, elements, [&](std::size_t image, std::size_t i) {
      const std::uint32_t channel = narrow(i) / plane, rest = narrow(i) % plane, row = rest / width;
      const std::size_t number = image * extent.channels + channel;
      out[image * elements + i] = body(plane_of<T>{in[K] + number * heights[K] * widths[K], heights[K], widths[K]}...,
                                       std::size_t{row}, std::size_t{rest - row * width});
    });
  }
};

template <class Device, class Body, class T, class... In>
void note_map(device_backend<Device>& be, const Body& body, view<T, cuda_space> out, In... in) {
  static_assert(std::is_trivially_copyable_v<Body>, "softscore: a body that goes to a device holds plain values");
  be.note(
      map_planes_task<Body, T, sizeof...(In)>{
          {static_cast<const T*>(raw(in))...}, {in.extent().height...}, {in.extent().width...}, raw(out), out.extent()},
      body);
}

}  // namespace detail

/// out(n, c, row, column) = body(in, row, column), as on the serial backend.
template <class Device, class Body, class T>
void map_planes(device_backend<Device>& be, const Body& body, const_view<T, cuda_space> in, view<T, cuda_space> out) {
  detail::note_map(be, body, out, in);
}

/// The same with planes of two inputs: body(a, b, row, column).
template <class Device, class Body, class T>
void map_planes(device_backend<Device>& be, const Body& body, const_view<T, cuda_space> a, const_view<T, cuda_space> b,
                view<T, cuda_space> out) {
  detail::note_map(be, body, out, a, b);
}

}  // namespace softscore::inline SOFTSCORE_ABI
