#pragma once

#include <cstddef>
#include <cstring>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

template <class T, std::size_t W>
struct lanes_of {
  typedef T type __attribute__((vector_size(sizeof(T) * W)));
};

/// W numbers of T with the arithmetic operators of T, for kernels that are written once for float and double. Those of
/// float are a `simd<W>`.
template <class T, std::size_t W>
using lanes = typename lanes_of<T, W>::type;

/// Lanes of the machine's widest vector register.
template <class T>
inline constexpr std::size_t lane_count = native_lanes * sizeof(float) / sizeof(T);

template <class T, std::size_t W>
SOFTSCORE_INLINE lanes<T, W> load_lanes(const T* from) {
  lanes<T, W> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class T, class V>
SOFTSCORE_INLINE void store_lanes(T* to, V v) {
  std::memcpy(to, &v, sizeof v);
}

template <class T, std::size_t W>
SOFTSCORE_INLINE lanes<T, W> in_all_lanes(T x) {
  return x - lanes<T, W>{};
}

/// One number per lane, or the first one in all lanes.
template <class T, std::size_t W>
SOFTSCORE_INLINE lanes<T, W> load_or_spread(const T* from, bool one_per_lane) {
  return one_per_lane ? load_lanes<T, W>(from) : in_all_lanes<T, W>(*from);
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
