#pragma once

#include <cstddef>
#include <type_traits>

#include <softscore/backend/joined_view.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The number of channels that are contiguous in an activation of `channels` channels of T: the lanes of a vector
/// register if T is float and they divide the channels, otherwise 1, the plain order N,C,H,W. With blocks of c channels
/// the order is N,C/c,H,W,c.
template <class T>
constexpr std::size_t channel_block(const tbb_backend&, std::size_t channels) {
  return std::is_same_v<T, float> && channels % detail::native_lanes == 0 ? detail::native_lanes : 1;
}

namespace detail {

// Whether the blocks of channels of both parts are those of the joined activation. If not, because one has whole
// vectors of channels and another has not, operations copy the parts into one array.
template <class T>
bool have_joined_blocks(const tbb_backend& be, const joined_view<const T, host_space>& x) {
  const auto block = [&](const shape& s) { return channel_block<T>(be, s.channels); };
  const std::size_t joined = block(x.extent());
  return !x.in_parts() || (block(x.first.extent()) == joined && block(x.second.extent()) == joined);
}

// Copies one image between (C,plane) and (C/c,plane,c).
template <class T>
void pack_image(const T* plain, T* packed, std::size_t channels, std::size_t plane, std::size_t block) {
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t p = 0; p < plane; ++p) packed[(c / block * plane + p) * block + c % block] = plain[c * plane + p];
}
template <class T>
void unpack_image(const T* packed, T* plain, std::size_t channels, std::size_t plane, std::size_t block) {
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t p = 0; p < plane; ++p) plain[c * plane + p] = packed[(c / block * plane + p) * block + c % block];
}

}  // namespace detail

/// Copies a batch in plain order into the backend's activation order.
template <class T>
void pack(tbb_backend& be, const_view<T, host_space> plain, view<T, host_space> packed) {
  const shape s = packed.extent();
  be.parallel(s.images, [&](std::size_t n) {
    detail::pack_image(plain.image(n).data(), packed.image(n).data(), s.channels, s.plane(),
                       channel_block<T>(be, s.channels));
  });
}

/// Copies an activation back into plain order.
template <class T>
void unpack(tbb_backend& be, const_view<T, host_space> packed, view<T, host_space> plain) {
  const shape s = plain.extent();
  be.parallel(s.images, [&](std::size_t n) {
    detail::unpack_image(packed.image(n).data(), plain.image(n).data(), s.channels, s.plane(),
                         channel_block<T>(be, s.channels));
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
