#pragma once

/// Marks a function that runs on the host and, when the translation unit is compiled by nvcc, on a device too.
/// Bodies so marked call no constexpr `std::` function, because device code may not.
#if defined(__CUDACC__)
#define SOFTSCORE_HD __host__ __device__
#else
#define SOFTSCORE_HD
#endif
