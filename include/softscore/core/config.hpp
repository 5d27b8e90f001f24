#pragma once

// Under these options a compiler may assume that every number is finite, and then drops the checks that promise finite
// results; or it may add in any order, and then the bits of noise and sums depend on it.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || defined(__ASSOCIATIVE_MATH__)
#error "softscore checks for finite values: compile without -ffast-math, -Ofast, -ffinite-math-only, -fassociative-math"
#endif

// The instruction set that this file is compiled for, and the compiler, as the name of an inline namespace around all
// code that depends on them. Files of one program that are compiled with different flags therefore have functions and
// classes of their own instead of one copy that the linker picks. Passing an object of one to the other does not link.
// The compiler is part of the name because GCC and clang lay out the captures of a lambda differently (decision 0036).
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

/// Marks the functions of types outside that namespace, so that files compiled with different flags can share them.
/// They are always inlined, so no file has a compiled copy that the linker could give to another file.
#define SOFTSCORE_SHARED [[gnu::always_inline]]

namespace softscore {  // shared

/// The template parameter of a function that needs none. It makes the function a template, so only programs that call
/// it compile its body. This pays where the body instantiates much, such as a sort or a vector of a new type (decision
/// 0031).
struct when_called {};

}  // namespace softscore

/// Marks a function that runs on the host and, when nvcc compiles the translation unit, on a device too. Such a
/// function calls no constexpr `std::` function, because device code may not.
#if defined(__CUDACC__)
#define SOFTSCORE_HD __host__ __device__
#else
#define SOFTSCORE_HD
#endif
