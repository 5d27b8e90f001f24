#pragma once

#include <cstddef>

#include <softscore/backend/map_planes.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

template <class T>
plane_of<T> plane_at(view<const T, host_space> of, std::size_t number) {
  return {raw(of) + number * of.extent().plane(), of.extent().height, of.extent().width};
}

// Every pixel of plane `number` of `out`, from the planes of the same number.
template <class Body, class T, class... Planes>
void map_plane(const Body& body, view<T, host_space> out, std::size_t number, const Planes&... in) {
  T* to = raw(out) + number * out.extent().plane();
  for (std::size_t row = 0; row < out.extent().height; ++row)
    for (std::size_t column = 0; column < out.extent().width; ++column) *to++ = body(in..., row, column);
}

}  // namespace detail

/// Sets out(n, c, row, column) = body(in, row, column), where `in` is plane (n, c) of the input as a `plane_of`: maps
/// of one channel to one channel, whose planes may have other sizes. Input and output are activations and do not
/// overlap.
template <class Body, class T>
void map_planes(serial_backend&, const Body& body, const_view<T, host_space> in, view<T, host_space> out) {
  for (std::size_t k = 0; k < out.extent().images * out.extent().channels; ++k)
    detail::map_plane(body, out, k, detail::plane_at<T>(in, k));
}

/// The same with planes of two inputs: body(a, b, row, column).
template <class Body, class T>
void map_planes(serial_backend&, const Body& body, const_view<T, host_space> a, const_view<T, host_space> b,
                view<T, host_space> out) {
  for (std::size_t k = 0; k < out.extent().images * out.extent().channels; ++k)
    detail::map_plane(body, out, k, detail::plane_at<T>(a, k), detail::plane_at<T>(b, k));
}

}  // namespace softscore::inline SOFTSCORE_ABI
