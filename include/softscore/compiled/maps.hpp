#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/map_planes.hpp>
#include <softscore/backend/serial/channels.hpp>
#include <softscore/compiled/backend.hpp>
#include <softscore/compiled/known_bodies.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The number of channels that are contiguous in an activation, as on the `tbb_backend` of the same instruction set.
template <class T>
std::size_t channel_block(const compiled_backend& be, std::size_t channels) {
  const std::size_t lanes = detail::operations_of<T>(be).lanes;
  return channels % lanes == 0 ? lanes : 1;
}

namespace detail {

// One of `step` interleaved channels, with the interface of `plane_of`.
template <class T>
struct spread_plane {
  using scalar = T;
  using value = T;

  const T* data;
  std::size_t height, width, step;

  T operator()(std::size_t row, std::size_t column) const { return data[(row * width + column) * step]; }
};

// Where channel `k` of all channels of a batch begins.
inline std::size_t start_of_channel(const shape& s, std::size_t k, std::size_t block) {
  return k / block * block * s.plane() + k % block;
}

template <class T>
spread_plane<T> channel_at(view<const T, host_space> of, std::size_t k, std::size_t block) {
  return {raw(of) + start_of_channel(of.extent(), k, block), of.extent().height, of.extent().width, block};
}

// The kernels run the bodies that they know; others run here, one channel at a time.
template <class Body, class T, class... In>
void map_planes_of(compiled_backend& be, const Body& body, view<T, host_space> out, view<In, host_space>... in) {
  using known = known_plane_bodies<T>;
  if constexpr (Knows<known, Body, T, In...>) {
    run_known<known>(kernels_behind<T>(be), operations_of<T>(be).over_planes, body, out, in...);
  } else {
    const shape s = out.extent();
    const std::size_t block = channel_block<T>(be, s.channels);
    be.parallel(s.images * s.channels, [&](std::size_t k) {
      T* to = raw(out) + start_of_channel(s, k, block);
      for (std::size_t row = 0; row < s.height; ++row)
        for (std::size_t column = 0; column < s.width; ++column, to += block)
          *to = body(channel_at<T>(in, k, block)..., row, column);
    });
  }
}

}  // namespace detail

/// out(n, c, row, column) = body(in, row, column), as on the serial backend.
template <class Body, class T>
void map_planes(compiled_backend& be, const Body& body, const_view<T, host_space> in, view<T, host_space> out) {
  detail::map_planes_of(be, body, out, in);
}

/// The same with planes of two inputs: body(a, b, row, column).
template <class Body, class T>
void map_planes(compiled_backend& be, const Body& body, const_view<T, host_space> a, const_view<T, host_space> b,
                view<T, host_space> out) {
  detail::map_planes_of(be, body, out, a, b);
}

/// y(n, c, p) = body(x(n, c, p), v(n, c)), as on the serial backend.
template <class Body, class T>
void map_channels(compiled_backend& be, const Body& body, const_view<T, host_space> x, const_view<T, host_space> v,
                  view<T, host_space> y) {
  using known = detail::known_channel_bodies<T>;
  if constexpr (detail::Knows<known, Body, T, const T, const T>) {
    detail::run_known<known>(detail::kernels_behind<T>(be), detail::operations_of<T>(be).over_channels, body, y, x, v);
  } else {
    const shape s = y.extent();
    const std::size_t block = channel_block<T>(be, s.channels), plane = s.plane();
    be.parallel(s.images * s.channels, [&](std::size_t k) {
      const T number = detail::row_for<T>(v, k / s.channels)[k % s.channels];
      const std::size_t first = detail::start_of_channel(s, k, block);
      for (std::size_t i = first; i < first + plane * block; i += block) raw(y)[i] = body(raw(x)[i], number);
    });
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
