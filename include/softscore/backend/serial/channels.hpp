#pragma once

#include <cstddef>

#include <softscore/backend/channels.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// The row of v, (N,C) or (1,C), for image n.
template <class T>
const T* row_for(view<const T, host_space> v, std::size_t n) {
  return raw(v) + (v.extent().images == 1 ? 0 : n) * v.extent().per_image();
}

// The sum of of(0) to of(count - 1), in double.
template <class Of>
double sum_in_double(std::size_t count, const Of& of) {
  double sum[4] = {};  // so that the additions do not wait for each other
  const std::size_t rest = count % 4, whole = count - rest;
  for (std::size_t i = 0; i < whole; i += 4)
    for (std::size_t k = 0; k < 4; ++k) sum[k] += of(i + k);
  for (std::size_t k = 0; k < rest; ++k) sum[k] += of(whole + k);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

}  // namespace detail

/// y(n, c, p) = body(x(n, c, p), v(n, c)) for the activations x and y, which may be the same, and v of (N,C) or (1,C).
template <class Body, class T>
void map_channels(serial_backend&, const Body& body, const_view<T, host_space> x, const_view<T, host_space> v,
                  view<T, host_space> y) {
  const shape s = y.extent();
  for (std::size_t n = 0; n < s.images; ++n)
    for (std::size_t c = 0; c < s.channels; ++c) {
      const std::size_t first = (n * s.channels + c) * s.plane();
      const T number = detail::row_for<T>(v, n)[c];
      for (std::size_t i = first; i < first + s.plane(); ++i) raw(y)[i] = body(raw(x)[i], number);
    }
}

/// out (N,C) = the sums over the pixels of a times b, activations of (N,C,H,W). They are summed in double.
template <class T>
void dot_pixels(serial_backend&, const_view<T, host_space> a, const_view<T, host_space> b, view<T, host_space> out) {
  const std::size_t plane = a.extent().plane();
  for (std::size_t k = 0; k < out.size(); ++k)
    out[k] = static_cast<T>(detail::sum_in_double(plane, [&](std::size_t i) {
      return static_cast<double>(a[k * plane + i]) * static_cast<double>(b[k * plane + i]);
    }));
}

/// out (N,C) = the sums over the pixels of x, an activation of (N,C,H,W), in double.
template <class T>
void sum_pixels(serial_backend&, const_view<T, host_space> x, view<T, host_space> out) {
  const std::size_t plane = x.extent().plane();
  for (std::size_t k = 0; k < out.size(); ++k)
    out[k] = static_cast<T>(
        detail::sum_in_double(plane, [&](std::size_t i) { return static_cast<double>(x[k * plane + i]); }));
}

}  // namespace softscore::inline SOFTSCORE_ABI
