#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// out(y, x) = sum over |i| <= half of kernel[|i|] in(y + i, x), zero outside: whole rows at a time, so that the inner
// loop runs over neighbors in memory. Rows height x width; in and out do not overlap.
template <class T>
void correlate_columns(const double* kernel, std::size_t half, std::size_t height, std::size_t width, const T* in,
                       T* out) {
  for (std::size_t y = 0; y < height; ++y) {
    T* const to = out + y * width;
    const auto add = [&](std::size_t tap, std::size_t row) {
      const T k = static_cast<T>(kernel[tap]);
      const T* const from = in + row * width;
      for (std::size_t x = 0; x < width; ++x) to[x] += k * from[x];
    };
    std::fill_n(to, width, T{0});
    for (std::size_t i = 0; i <= (std::min)(half, y); ++i) add(i, y - i);
    for (std::size_t i = 1; i <= half && y + i < height; ++i) add(i, y + i);
  }
}

template <class T>
void transpose(std::size_t rows, std::size_t columns, const T* in, T* out) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) out[c * rows + r] = in[r * columns + c];
}

// One image correlated with a symmetric kernel along both directions; `scratch` has room for one plane.
template <class T>
void correlate_separably(const double* kernel, std::size_t half, const shape& s, const T* in, T* out, T* scratch) {
  for (std::size_t c = 0; c < s.channels; ++c) {
    const T* const plane = in + c * s.plane();
    T* const result = out + c * s.plane();
    correlate_columns(kernel, half, s.height, s.width, plane, result);
    transpose(s.height, s.width, result, scratch);
    correlate_columns(kernel, half, s.width, s.height, scratch, result);
    std::copy_n(result, s.plane(), scratch);
    transpose(s.width, s.height, scratch, result);
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
