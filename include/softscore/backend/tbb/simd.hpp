#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

// The one place that knows about vector registers: the vector types of GCC and clang, for any number of lanes. Loads
// and stores need no alignment. a * b + c in one expression becomes a fused multiply-add where the machine has it.

/// For the small functions that must disappear into their callers: a vector that leaves registers costs more than all
/// arithmetic done on it.
#define SOFTSCORE_INLINE [[gnu::always_inline]] inline
/// The same for lambdas, after their parameters.
#define SOFTSCORE_INLINE_LAMBDA __attribute__((always_inline))

namespace softscore::detail {

/// Lanes of the machine's widest float register; 4 where nothing is known.
#if defined(__AVX512F__)
inline constexpr std::size_t native_lanes = 16;
#elif defined(__AVX__)
inline constexpr std::size_t native_lanes = 8;
#else
inline constexpr std::size_t native_lanes = 4;
#endif

template <std::size_t W>
struct vector_types {
  typedef float floats __attribute__((vector_size(4 * W)));
  typedef std::int32_t integers __attribute__((vector_size(4 * W)));
};

/// W floats, with the arithmetic operators of float.
template <std::size_t W>
using simd = typename vector_types<W>::floats;
template <std::size_t W>
using simd_int = typename vector_types<W>::integers;

template <std::size_t W>
SOFTSCORE_INLINE simd<W> load(const float* from) {
  simd<W> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class V>
SOFTSCORE_INLINE void store(float* to, V v) {
  std::memcpy(to, &v, sizeof v);
}

/// x in every lane.
template <std::size_t W>
SOFTSCORE_INLINE simd<W> broadcast(float x) {
  return x - simd<W>{};  // exact, and compilers know it
}

/// The sum of the lanes, always in the same order.
template <std::size_t W>
SOFTSCORE_INLINE float sum_of_lanes(simd<W> v) {
  if constexpr (W == 1) {
    return v[0];
  } else {
    simd<W / 2> low, high;
    std::memcpy(&low, &v, sizeof low);
    std::memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
    return sum_of_lanes<W / 2>(low + high);
  }
}

/// Calls body(0), body(1), ... body(N - 1) with compile-time numbers: a loop that is certainly unrolled.
template <std::size_t N, class Body>
SOFTSCORE_INLINE void unrolled(const Body& body) {
  [&]<std::size_t... i>(std::index_sequence<i...>)
      SOFTSCORE_INLINE_LAMBDA { (body(std::integral_constant<std::size_t, i>{}), ...); }(std::make_index_sequence<N>{});
}

}  // namespace softscore::detail
