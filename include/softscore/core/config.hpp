#pragma once

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
