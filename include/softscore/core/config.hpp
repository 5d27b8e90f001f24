#pragma once

// Under these options a compiler takes every number for finite, so the checks that promise finite results vanish, or
// adds in any order, so that the bits of noise and sums depend on it.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || defined(__ASSOCIATIVE_MATH__)
#error "softscore checks for finite values: compile without -ffast-math, -Ofast, -ffinite-math-only, -fassociative-math"
#endif

// The instruction set that this file is compiled for, and by whom, as the name of an inline namespace around everything
// whose code depends on it. Files of one program that are compiled with unlike flags thus have functions and classes of
// their own instead of one copy that the linker picks, and handing an object of one to the other does not link. The
// compiler is part of the name because GCC and clang lay out what a lambda captures differently (decision 0036).
#if defined(__AVX512F__)
#define SOFTSCORE_ABI_VECTORS avx512
#elif defined(__AVX2__)
#define SOFTSCORE_ABI_VECTORS avx2
#elif defined(__AVX__)
#define SOFTSCORE_ABI_VECTORS avx
#elif defined(__SSE2__)
#define SOFTSCORE_ABI_VECTORS sse2
#else
#define SOFTSCORE_ABI_VECTORS plain
#endif
#if defined(__FMA__)
#define SOFTSCORE_ABI_FUSED fma
#else
#define SOFTSCORE_ABI_FUSED no_fma
#endif
#if defined(__clang__)
#define SOFTSCORE_ABI_COMPILER clang
#else
#define SOFTSCORE_ABI_COMPILER gcc
#endif
// Defined by the headers that tools/single_header.py writes.
#if defined(SOFTSCORE_SINGLE_HEADER)
#error "a file that includes a single header of softscore includes none of its folder of headers"
#endif
#define SOFTSCORE_ABI_JOINED(vectors, fused, compiler) v0_##vectors##_##fused##_##compiler
#define SOFTSCORE_ABI_NAME(vectors, fused, compiler) SOFTSCORE_ABI_JOINED(vectors, fused, compiler)
/// The inline namespace of this file: its version, the instruction set and the compiler, as in `v0_avx2_fma_gcc`.
#define SOFTSCORE_ABI SOFTSCORE_ABI_NAME(SOFTSCORE_ABI_VECTORS, SOFTSCORE_ABI_FUSED, SOFTSCORE_ABI_COMPILER)

/// Marks the functions of types that lie outside that namespace, so that files of unlike flags can share them: always
/// inlined, no compiled copy of one file is left for the linker to give to another.
#define SOFTSCORE_SHARED [[gnu::always_inline]]

namespace softscore {  // shared

/// The template parameter of a function that needs none: with it only programs that call the function compile what it
/// does. It pays where that instantiates much, as a vector of something new or a sort does (decision 0031).
struct when_called {};

}  // namespace softscore

/// Marks a function that runs on the host and, when the translation unit is compiled by nvcc, on a device too.
/// Bodies so marked call no constexpr `std::` function, because device code may not.
#if defined(__CUDACC__)
#define SOFTSCORE_HD __host__ __device__
#else
#define SOFTSCORE_HD
#endif
