#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/tbb/attention_products.hpp>
#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Some channels of one image of an activation, which is stored in blocks of `block` channels: number c of a token is
// channel first + c * step.
template <class T>
struct channels_of_image {
  T* data;
  std::size_t tokens, block, first, step;

  T* plane(std::size_t c) const {
    const std::size_t channel = first + c * step;
    return data + channel / block * block * tokens + channel % block;
  }
  // Whether V numbers from c on are contiguous in one block.
  template <std::size_t V>
  bool neighbors(std::size_t c) const {
    return step == 1 && block % V == 0 && (first + c) % V == 0;
  }
};

// Copies between such channels and a matrix of numbers by tokens, whose rows are `row` apart: V numbers of V tokens at
// a time if they are contiguous.
template <std::size_t W>
struct attention_layout {
  static constexpr std::size_t V = W < 8 ? W : 8;  // divides more head widths than 16

  // to[c][i] = factor * number c of token `first` + i, for c < numbers and i < count, and zeros in the rest of a row.
  static void gather(const channels_of_image<const float>& in, std::size_t numbers, std::size_t first,
                     std::size_t count, float factor, float* to, std::size_t row) {
    for (std::size_t c = 0; c < numbers;) {
      const float* from = in.plane(c) + first * in.block;
      if (c + V <= numbers && in.template neighbors<V>(c)) {
        std::size_t i = 0;
        for (; i + V <= count; i += V) transpose<V>(from + i * in.block, in.block, to + c * row + i, row, factor);
        for (; i < count; ++i)
          for (std::size_t k = 0; k < V; ++k) to[(c + k) * row + i] = factor * from[i * in.block + k];
        c += V;
      } else {
        for (std::size_t i = 0; i < count; ++i) to[c * row + i] = factor * from[i * in.block];
        ++c;
      }
    }
    for (std::size_t c = 0; c < numbers; ++c) std::fill(to + c * row + count, to + (c + 1) * row, 0.0f);
  }

  // The inverse, without the zeros.
  static void scatter(const float* from, std::size_t row, float factor, const channels_of_image<float>& out,
                      std::size_t numbers, std::size_t first, std::size_t count) {
    for (std::size_t c = 0; c < numbers;) {
      float* to = out.plane(c) + first * out.block;
      if (c + V <= numbers && out.template neighbors<V>(c)) {
        std::size_t i = 0;
        for (; i + V <= count; i += V) transpose<V>(from + c * row + i, row, to + i * out.block, out.block, factor);
        for (; i < count; ++i)
          for (std::size_t k = 0; k < V; ++k) to[i * out.block + k] = factor * from[(c + k) * row + i];
        c += V;
      } else {
        for (std::size_t i = 0; i < count; ++i) to[i * out.block] = factor * from[c * row + i];
        ++c;
      }
    }
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
