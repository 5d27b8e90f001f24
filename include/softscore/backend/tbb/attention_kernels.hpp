#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include <softscore/backend/tbb/attention_products.hpp>
#include <softscore/backend/tbb/exp2_simd.hpp>
#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Attention of one head of one image in float, with W tokens in a vector. Every array is a matrix of numbers by tokens:
// its rows are `stride` numbers apart, and the rest of a row after the tokens is zero. Queries are given with the
// factor log2(e) / sqrt(head_width), so that a weight is 2^(score - largest score) over the sum of those. Scores exist
// for one block of tokens at a time and are computed again in the backward pass (Dao et al. 2022, Algorithm 1).
template <std::size_t W>
struct attention_kernels {
  using products = attention_products<W>;
  static constexpr std::size_t lanes = products::lanes;
  static constexpr std::size_t keys_at_once = 128;    // of the forward pass; 16 KiB of scores
  static constexpr std::size_t queries_at_once = 64;  // of the backward pass, a multiple of `lanes`

  std::size_t tokens, width;

  // Rows of a matrix whose rows are computed by tiles.
  std::size_t rows() const { return (width + products::rows - 1) / products::rows * products::rows; }
  // The stride of a matrix of that many tokens: whole pairs of vectors, and an odd number of vectors, so that the rows
  // do not all map to the same few lines of the cache.
  static constexpr std::size_t stride_of(std::size_t tokens) { return (tokens + lanes - 1) / lanes * lanes + W; }

  // Attends `lanes` queries, q[width][lanes], to all keys and values: sets o[rows][lanes], and for each query the
  // largest score and 1 over the sum of the exponentials. scores: [keys_at_once][lanes].
  void forward(const float* q, const float* k, const float* v, float* scores, float* o, float* greatest,
               float* inverse) const {
    const std::size_t stride = stride_of(tokens);
    simd<W> most[2], sum[2] = {};
    unrolled<2>([&](auto u)
                    SOFTSCORE_INLINE_LAMBDA { most[u] = broadcast<W>(-std::numeric_limits<float>::infinity()); });
    std::fill_n(o, rows() * lanes, 0.0f);
    for (std::size_t first = 0; first < tokens; first += keys_at_once) {
      const std::size_t count = (std::min)(keys_at_once, tokens - first);
      products::set(count, width, q, lanes, k + first, stride, scores);
      // The sums so far are relative to a different largest score.
      simd<W> shrink[2];
      unrolled<2>([&](auto u) SOFTSCORE_INLINE_LAMBDA {
        const simd<W> before = most[u];
        for (std::size_t j = 0; j < count; ++j) {
          const simd<W> score = load<W>(scores + j * lanes + u * W);
          most[u] = score > most[u] ? score : most[u];
        }
        shrink[u] = exp2_simd<W>(before - most[u]);
      });
      simd<W> of_block[2] = {};
      for (std::size_t j = 0; j < count; ++j)
        unrolled<2>([&](auto u) SOFTSCORE_INLINE_LAMBDA {
          float* const at = scores + j * lanes + u * W;
          const simd<W> weight = exp2_simd<W>(load<W>(at) - most[u]);
          store(at, weight);
          of_block[u] += weight;
        });
      unrolled<2>([&](auto u) SOFTSCORE_INLINE_LAMBDA { sum[u] = sum[u] * shrink[u] + of_block[u]; });
      if (first > 0) scale(o, rows(), shrink);
      products::add(width, count, scores, lanes, v + first, stride, o, lanes);
    }
    unrolled<2>([&](auto u) SOFTSCORE_INLINE_LAMBDA {
      sum[u] = 1.0f / sum[u];
      store(greatest + u * W, most[u]);
      store(inverse + u * W, sum[u]);
    });
    scale(o, rows(), sum);
  }

  // What the backward pass reads: for all tokens the queries, dy over the sum of the exponentials, the largest scores,
  // and the sums over a row of the weights times dy v^T, also over that sum; and keys and values of a few tokens.
  struct operands {
    const float* q;
    const float* dy;
    const float* greatest;
    const float* means;
    const float* k;
    const float* v;
    std::size_t key_stride;
  };
  // [queries_at_once][lanes] twice, and the transpose of the second.
  struct buffers {
    float* weights;
    float* slopes;
    float* transposed;
  };

  // The share of `count` keys, at most `lanes`, from `first` on in k and v: adds to dq[rows][tokens], which lacks the
  // factor 1 / sqrt(head_width), and sets dk and dv[rows][lanes].
  void backward(const operands& of, std::size_t first, std::size_t count, const buffers& room, float* dq, float* dk,
                float* dv) const {
    const std::size_t stride = stride_of(tokens);
    std::fill_n(dk, rows() * lanes, 0.0f);
    std::fill_n(dv, rows() * lanes, 0.0f);
    for (std::size_t i = 0; i < tokens; i += queries_at_once) {
      const std::size_t queries = (std::min)(queries_at_once, tokens - i);
      products::set(queries, width, of.k + first, of.key_stride, of.q + i, stride, room.weights);
      products::set(queries, width, of.v + first, of.key_stride, of.dy + i, stride, room.slopes);
      for (std::size_t row = 0; row < queries; ++row) {
        const simd<W> greatest = broadcast<W>(of.greatest[i + row]), mean = broadcast<W>(of.means[i + row]);
        unrolled<2>([&](auto u) SOFTSCORE_INLINE_LAMBDA {
          const std::size_t at = row * lanes + u * W;
          const simd<W> weight = exp2_simd<W>(load<W>(room.weights + at) - greatest);
          store(room.weights + at, weight);
          store(room.slopes + at, weight * (load<W>(room.slopes + at) - mean));
        });
      }
      products::add(width, queries, room.weights, lanes, of.dy + i, stride, dv, lanes);
      products::add(width, queries, room.slopes, lanes, of.q + i, stride, dk, lanes);
      // With queries in the lanes; results after the last query are not read.
      for (std::size_t row = 0; row < queries; row += W)
        unrolled<2>([&](auto u) SOFTSCORE_INLINE_LAMBDA {
          transpose<W>(room.slopes + row * lanes + u * W, lanes, room.transposed + u * W * queries_at_once + row,
                       queries_at_once);
        });
      for (std::size_t row = 0; row < queries; row += lanes)
        products::add(width, count, room.transposed + row, queries_at_once, of.k + first, of.key_stride, dq + i + row,
                      stride);
    }
  }

 private:
  static void scale(float* matrix, std::size_t of_rows, const simd<W> (&factor)[2]) {
    for (std::size_t d = 0; d < of_rows; ++d)
      unrolled<2>([&](auto u) SOFTSCORE_INLINE_LAMBDA {
        float* const at = matrix + d * lanes + u * W;
        store(at, load<W>(at) * factor[u]);
      });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
