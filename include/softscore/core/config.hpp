#pragma once

// Under these options a compiler takes every number for finite, so the checks that promise finite results vanish, or
// adds in any order, so that the bits of noise and sums depend on it.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || defined(__ASSOCIATIVE_MATH__)
#error "softscore checks for finite values: compile without -ffast-math, -Ofast, -ffinite-math-only, -fassociative-math"
#endif

namespace softscore {

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
