#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

struct root_of_lanes {
  template <std::size_t W = native_lanes>
  SOFTSCORE_INLINE simd<W> operator()(simd<W> x) const {
    return square_root<W>(x);
  }
};

// An element body that also works on vectors of floats: `body.on_lanes<float>(root, a, b...)`. Compilers that preserve
// the errno of a square root do not vectorize a loop over its elements.
template <class Body, class... T>
concept WorksOnLanes =
    (std::is_same_v<std::remove_const_t<T>, float> && ...) &&
    requires(const Body& body,
             std::conditional_t<std::is_const_v<T>, const simd<native_lanes>, simd<native_lanes>>&... v) {
      body.template on_lanes<float>(root_of_lanes{}, v...);
    };

template <class T>
SOFTSCORE_INLINE void store_unless_const(T* to, simd<native_lanes> v) {
  if constexpr (!std::is_const_v<T>) store(to, v);
}

// Calls the body for the elements `from` .. `to` - 1 of all arrays, W at a time, and for the remaining ones singly.
template <class Body, class... T>
void for_each_lanes(const Body& body, std::size_t from, std::size_t to, T*... arrays) {
  constexpr std::size_t W = native_lanes;
  std::size_t i = from;
  for (; i + W <= to; i += W) {
    std::tuple lanes{load<W>(arrays + i)...};
    std::apply(
        [&](auto&... v) SOFTSCORE_INLINE_LAMBDA {
          body.template on_lanes<float>(root_of_lanes{}, v...);
          (store_unless_const(arrays + i, v), ...);
        },
        lanes);
  }
  for (; i < to; ++i) body(arrays[i]...);
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
