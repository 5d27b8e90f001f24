#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/tbb/layout.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Some channels of every image: `count` of them from channel `first` on, in an activation with blocks of `block`
// channels.
template <class T>
struct channel_range {
  T* data;
  std::size_t per_image, first, block;

  T* image(std::size_t n) const { return data + n * per_image; }
};

// Copies `count` channels of every image. If both sides have whole blocks of one size, these are contiguous.
template <class T>
void copy_channels(tbb_backend& be, std::size_t images, std::size_t count, std::size_t plane,
                   const channel_range<const T>& from, const channel_range<T>& to) {
  const std::size_t block = from.block;
  if (block == to.block && from.first % block == 0 && to.first % block == 0 && count % block == 0) {
    const std::size_t size = count * plane, piece = std::size_t{1} << 14, pieces = (size + piece - 1) / piece;
    return be.parallel(images * pieces, [&](std::size_t task) {
      const std::size_t n = task / pieces, at = task % pieces * piece;
      std::copy_n(from.image(n) + from.first * plane + at, (std::min)(piece, size - at),
                  to.image(n) + to.first * plane + at);
    });
  }
  be.parallel(images * count, [&](std::size_t task) {
    const std::size_t n = task / count, f = from.first + task % count, t = to.first + task % count;
    const T* source = from.image(n) + f / from.block * from.block * plane + f % from.block;
    T* target = to.image(n) + t / to.block * to.block * plane + t % to.block;
    for (std::size_t p = 0; p < plane; ++p) target[p * to.block] = source[p * from.block];
  });
}

template <class T>
channel_range<T> channels_from(const tbb_backend& be, view<T, host_space> of, std::size_t first) {
  return {raw(of), of.extent().per_image(), first, channel_block<std::remove_const_t<T>>(be, of.extent().channels)};
}

}  // namespace detail

/// Sets out (N,A+B,H,W) to the channels of a (N,A,H,W), then those of b (N,B,H,W), all in activation order.
template <class T>
void concatenate(tbb_backend& be, const_view<T, host_space> a, const_view<T, host_space> b, view<T, host_space> out) {
  const shape s = out.extent();
  const std::size_t of_a = a.extent().channels, of_b = b.extent().channels;
  using detail::channels_from;
  detail::copy_channels<T>(be, s.images, of_a, s.plane(), channels_from<const T>(be, a, 0), channels_from(be, out, 0));
  detail::copy_channels<T>(be, s.images, of_b, s.plane(), channels_from<const T>(be, b, 0),
                           channels_from(be, out, of_a));
}

/// The inverse: copies the first channels of `from` (N,A+B,H,W) into a (N,A,H,W), and the others into b (N,B,H,W).
/// Either may be empty and is then skipped.
template <class T>
void separate(tbb_backend& be, const_view<T, host_space> from, view<T, host_space> a, view<T, host_space> b) {
  const shape s = from.extent();
  using detail::channels_from;
  if (!a.empty())
    detail::copy_channels<T>(be, s.images, a.extent().channels, s.plane(), channels_from<const T>(be, from, 0),
                             channels_from(be, a, 0));
  if (!b.empty())
    detail::copy_channels<T>(be, s.images, b.extent().channels, s.plane(),
                             channels_from<const T>(be, from, s.channels - b.extent().channels),
                             channels_from(be, b, 0));
}

}  // namespace softscore::inline SOFTSCORE_ABI
