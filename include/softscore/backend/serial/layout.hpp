#pragma once

#include <cstddef>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The number of channels that are contiguous in an activation of `channels` channels of T. 1 is the plain order
/// N,C,H,W.
template <class T>
constexpr std::size_t channel_block(const serial_backend&, std::size_t /*channels*/) {
  return 1;
}

/// Copies a batch in plain order into the backend's activation order.
template <class T>
void pack(serial_backend& be, const_view<T, host_space> plain, view<T, host_space> packed) {
  be.convert(plain, packed);
}

/// Copies an activation back into plain order.
template <class T>
void unpack(serial_backend& be, const_view<T, host_space> packed, view<T, host_space> plain) {
  be.convert(packed, plain);
}

}  // namespace softscore::inline SOFTSCORE_ABI
