#pragma once

#include <cstddef>
#include <type_traits>

#include <softscore/backend/serial/map_planes.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// W contiguous channels of one image, with the interface of `plane_of`.
template <std::size_t W>
struct block_of_planes {
  using scalar = float;
  using value = simd<W>;

  const float* data;
  std::size_t height, width;

  SOFTSCORE_INLINE value operator()(std::size_t row, std::size_t column) const {
    return load<W>(data + (row * width + column) * W);
  }
};

template <std::size_t W>
block_of_planes<W> block_at(view<const float, host_space> of, std::size_t number) {
  return {raw(of) + number * of.extent().plane() * W, of.extent().height, of.extent().width};
}

// Every pixel of block `number` of `out`.
template <std::size_t W, class Body, class... Blocks>
void map_block(const Body& body, view<float, host_space> out, std::size_t number, const Blocks&... in) {
  float* to = raw(out) + number * out.extent().plane() * W;
  for (std::size_t row = 0; row < out.extent().height; ++row)
    for (std::size_t column = 0; column < out.extent().width; ++column, to += W) store(to, body(in..., row, column));
}

// A task for each plane, or for each block of planes.
template <class Body, class T, class... In>
void map_all_planes(tbb_backend& be, const Body& body, view<T, host_space> out, In... in) {
  const shape s = out.extent();
  if constexpr (std::is_same_v<T, float>) {
    constexpr std::size_t lanes = native_lanes;
    if (channel_block<T>(be, s.channels) == lanes)
      return be.parallel(s.images * s.channels / lanes,
                         [&](std::size_t k) { map_block<lanes>(body, out, k, block_at<lanes>(in, k)...); });
  }
  be.parallel(s.images * s.channels, [&](std::size_t k) { map_plane(body, out, k, plane_at<T>(in, k)...); });
}

}  // namespace detail

/// out(n, c, row, column) = body(in, row, column), as on the serial backend. If channels are in blocks, the body
/// receives a block of them at once, and its numbers are vectors.
template <class Body, class T>
void map_planes(tbb_backend& be, const Body& body, const_view<T, host_space> in, view<T, host_space> out) {
  detail::map_all_planes(be, body, out, in);
}

/// The same with planes of two inputs: body(a, b, row, column).
template <class Body, class T>
void map_planes(tbb_backend& be, const Body& body, const_view<T, host_space> a, const_view<T, host_space> b,
                view<T, host_space> out) {
  detail::map_all_planes(be, body, out, a, b);
}

}  // namespace softscore::inline SOFTSCORE_ABI
