#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/serial/channels.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// out[lane] = the sum of lane `lane` of the vectors of(0) to of(count - 1): in float over runs of 16, in double over
// the runs.
template <std::size_t W, class Of>
void sums_of_lanes(std::size_t count, float* out, const Of& of) {
  constexpr std::size_t run = 16;
  double sum[W] = {};
  for (std::size_t first = 0; first < count; first += run) {
    simd<W> part{};
    const std::size_t last = (std::min)(count, first + run);
    for (std::size_t i = first; i < last; ++i) part += of(i);
    for (std::size_t lane = 0; lane < W; ++lane) sum[lane] += static_cast<double>(part[lane]);
  }
  for (std::size_t lane = 0; lane < W; ++lane) out[lane] = static_cast<float>(sum[lane]);
}

}  // namespace detail

/// y(n, c, p) = body(x(n, c, p), v(n, c)), as on the serial backend; body is called with vectors if channels are in
/// blocks.
template <class Body, class T>
void map_channels(tbb_backend& be, const Body& body, const_view<T, host_space> x, const_view<T, host_space> v,
                  view<T, host_space> y) {
  const shape s = y.extent();
  const std::size_t plane = s.plane();
  if constexpr (std::is_same_v<T, float>) {
    constexpr std::size_t lanes = detail::native_lanes;
    const std::size_t blocks = s.channels / lanes;
    if (channel_block<T>(be, s.channels) == lanes)
      return be.parallel(s.images * blocks, [&](std::size_t k) {
        const auto of_channels = detail::load<lanes>(detail::row_for<T>(v, k / blocks) + k % blocks * lanes);
        const std::size_t first = k * plane * lanes, last = first + plane * lanes;
        for (std::size_t i = first; i < last; i += lanes)
          detail::store(raw(y) + i, body(detail::load<lanes>(raw(x) + i), of_channels));
      });
  }
  be.parallel(s.images * s.channels, [&](std::size_t k) {
    const T number = detail::row_for<T>(v, k / s.channels)[k % s.channels];
    for (std::size_t i = k * plane; i < (k + 1) * plane; ++i) raw(y)[i] = body(raw(x)[i], number);
  });
}

/// out (N,C) = the sums over the pixels of a times b, activations of (N,C,H,W).
template <class T>
void dot_pixels(tbb_backend& be, const_view<T, host_space> a, const_view<T, host_space> b, view<T, host_space> out) {
  const shape s = a.extent();
  const std::size_t plane = s.plane();
  if constexpr (std::is_same_v<T, float>) {
    constexpr std::size_t lanes = detail::native_lanes;
    if (channel_block<T>(be, s.channels) == lanes)
      return be.parallel(out.size() / lanes, [&](std::size_t k) {
        const float* of_a = raw(a) + k * plane * lanes;
        const float* of_b = raw(b) + k * plane * lanes;
        detail::sums_of_lanes<lanes>(plane, raw(out) + k * lanes, [=](std::size_t i) SOFTSCORE_INLINE_LAMBDA {
          return detail::load<lanes>(of_a + i * lanes) * detail::load<lanes>(of_b + i * lanes);
        });
      });
  }
  be.parallel(out.size(), [&](std::size_t k) {
    out[k] = static_cast<T>(detail::sum_in_double(plane, [&](std::size_t i) {
      return static_cast<double>(a[k * plane + i]) * static_cast<double>(b[k * plane + i]);
    }));
  });
}

/// out (N,C) = the sums over the pixels of x, an activation of (N,C,H,W).
template <class T>
void sum_pixels(tbb_backend& be, const_view<T, host_space> x, view<T, host_space> out) {
  const shape s = x.extent();
  const std::size_t plane = s.plane();
  if constexpr (std::is_same_v<T, float>) {
    constexpr std::size_t lanes = detail::native_lanes;
    if (channel_block<T>(be, s.channels) == lanes)
      return be.parallel(out.size() / lanes, [&](std::size_t k) {
        const float* from = raw(x) + k * plane * lanes;
        detail::sums_of_lanes<lanes>(plane, raw(out) + k * lanes, [=](std::size_t i) SOFTSCORE_INLINE_LAMBDA {
          return detail::load<lanes>(from + i * lanes);
        });
      });
  }
  be.parallel(out.size(), [&](std::size_t k) {
    out[k] = static_cast<T>(
        detail::sum_in_double(plane, [&](std::size_t i) { return static_cast<double>(x[k * plane + i]); }));
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
