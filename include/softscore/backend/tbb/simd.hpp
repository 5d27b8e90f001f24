#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

// The only header with vector registers: the vector types of GCC and clang, for any number of lanes. Loads and stores
// need no alignment. a * b + c in one expression becomes a fused multiply-add if the machine has it and the compiler
// chooses to; `fused` always is one.

/// For small functions that must be inlined: a vector that leaves registers costs more than all arithmetic done on it.
#define SOFTSCORE_INLINE [[gnu::always_inline]] inline
/// The same for lambdas, after their parameters.
#define SOFTSCORE_INLINE_LAMBDA __attribute__((always_inline))

namespace softscore::inline SOFTSCORE_ABI::detail {

/// Lanes of the machine's widest float register; 4 if nothing is known.
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
  typedef std::uint32_t words __attribute__((vector_size(4 * W)));
  typedef std::uint64_t long_words __attribute__((vector_size(8 * W)));
};

/// W floats, with the arithmetic operators of float.
template <std::size_t W>
using simd = typename vector_types<W>::floats;
template <std::size_t W>
using simd_int = typename vector_types<W>::integers;
template <std::size_t W>
using simd_word = typename vector_types<W>::words;
template <std::size_t W>
using simd_long_word = typename vector_types<W>::long_words;

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
  return x - simd<W>{};  // exact, and compilers recognize it
}

/// v, which the compiler must then keep as a vector. Otherwise it may load a number once and copy it into every lane,
/// which occupies a multiplier.
template <class V>
SOFTSCORE_INLINE V as_vector(V v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#endif
  return v;
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

/// 0, 1, ... in the lanes of V.
template <class V, std::size_t... Lane>
SOFTSCORE_INLINE V counting(std::index_sequence<Lane...>) {
  return V{Lane...};
}

/// The bits of `from` as those of another vector of the same size.
template <class To, class From>
SOFTSCORE_INLINE To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

/// a * b + c, with one rounding on every machine.
template <std::size_t W>
SOFTSCORE_INLINE simd<W> fused(simd<W> a, simd<W> b, simd<W> c) {
#if defined(__AVX512F__)
  if constexpr (W == 16) return simd<W>(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c)));
#endif
#if defined(__FMA__)
  if constexpr (W == 8) return simd<W>(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
  if constexpr (W == 4) return simd<W>(_mm_fmadd_ps(__m128(a), __m128(b), __m128(c)));
#endif
  simd<W> sum{};
  for (std::size_t lane = 0; lane < W; ++lane) sum[lane] = std::fma(a[lane], b[lane], c[lane]);
  return sum;
}

/// The square root of every lane, correctly rounded.
template <std::size_t W>
SOFTSCORE_INLINE simd<W> square_root(simd<W> x) {
#if defined(__AVX512F__)
  if constexpr (W == 16) return simd<W>(_mm512_maskz_sqrt_ps(0xFFFF, __m512(x)));  // with a mask, as below
#endif
#if defined(__AVX__)
  if constexpr (W == 8) return simd<W>(_mm256_sqrt_ps(__m256(x)));
#endif
#if defined(__SSE2__)
  if constexpr (W == 4) return simd<W>(_mm_sqrt_ps(__m128(x)));
#endif
  simd<W> root;
  for (std::size_t lane = 0; lane < W; ++lane) root[lane] = std::sqrt(x[lane]);
  return root;
}

/// The low halves of a times the low halves of b; the high halves are ignored.
template <std::size_t W>
SOFTSCORE_INLINE simd_long_word<W> product_of_low_halves(simd_long_word<W> a, simd_long_word<W> b) {
#if defined(__AVX512F__)
  // With a mask, because the plain form causes a false warning under GCC 12; the compilers remove the mask.
  if constexpr (W == 8) return simd_long_word<W>(_mm512_maskz_mul_epu32(0xFF, __m512i(a), __m512i(b)));
#endif
#if defined(__AVX2__)
  if constexpr (W == 4) return simd_long_word<W>(_mm256_mul_epu32(__m256i(a), __m256i(b)));
#endif
#if defined(__SSE2__)
  if constexpr (W == 2) return simd_long_word<W>(_mm_mul_epu32(__m128i(a), __m128i(b)));
#endif
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
}

/// Selects the lanes of a vector by their numbers; numbers of a come first, and those of b continue from there.
template <std::size_t... Lane, class V>
SOFTSCORE_INLINE V shuffled(V a, V b) {
#if defined(__CUDACC__)  // nvcc does not support the other form
  constexpr std::size_t lanes = sizeof...(Lane);
  V out;
  std::size_t i = 0;
  ((out[i++] = Lane < lanes ? a[Lane % lanes] : b[Lane % lanes]), ...);
  return out;
#else
  return __builtin_shufflevector(a, b, Lane...);
#endif
}

/// The low halves of W long words, half of them in each argument.
template <std::size_t W>
SOFTSCORE_INLINE simd_word<W> low_halves(simd_long_word<W / 2> first, simd_long_word<W / 2> second) {
  return [&]<std::size_t... i>(std::index_sequence<i...>) SOFTSCORE_INLINE_LAMBDA {
    return shuffled<(2 * i)...>(same_bits<simd_word<W>>(first), same_bits<simd_word<W>>(second));
  }(std::make_index_sequence<W>{});
}

/// Interleaves runs of Run lanes of a and of b: those of their first halves go into `low`, the others into `high`.
template <std::size_t Run, std::size_t W>
SOFTSCORE_INLINE void interleave(simd<W> a, simd<W> b, simd<W>& low, simd<W>& high) {
  [&]<std::size_t... i>(std::index_sequence<i...>) SOFTSCORE_INLINE_LAMBDA {
    low = shuffled<(i / (2 * Run) * Run + i % Run + i / Run % 2 * W)...>(a, b);
    high = shuffled<(W / 2 + i / (2 * Run) * Run + i % Run + i / Run % 2 * W)...>(a, b);
  }(std::make_index_sequence<W>{});
}

/// Calls body(0), body(1), ... body(N - 1) with compile-time numbers: a loop that is always unrolled.
template <std::size_t N, class Body>
SOFTSCORE_INLINE void unrolled(const Body& body) {
  [&]<std::size_t... i>(std::index_sequence<i...>)
      SOFTSCORE_INLINE_LAMBDA { (body(std::integral_constant<std::size_t, i>{}), ...); }(std::make_index_sequence<N>{});
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
