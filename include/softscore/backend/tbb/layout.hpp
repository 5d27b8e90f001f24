#pragma once

#include <cstddef>

#include <softscore/backend/tbb/backend.hpp>

namespace softscore {

/// How many channels lie side by side in an activation of `channels` channels of T. 1 is the plain order N,C,H,W.
template <class T>
constexpr std::size_t channel_block(const tbb_backend&, std::size_t /*channels*/) {
  return 1;
}

/// Copies a batch in plain order into the backend's activation order.
template <class T>
void pack(tbb_backend& be, const_view<T, host_space> plain, view<T, host_space> packed) {
  be.convert(plain, packed);
}

/// Copies an activation back into plain order.
template <class T>
void unpack(tbb_backend& be, const_view<T, host_space> packed, view<T, host_space> plain) {
  be.convert(packed, plain);
}

}  // namespace softscore
