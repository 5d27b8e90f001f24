#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/cuda/gemm.hpp>
#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// c (m x n) = a b + bias (per column, if there is one), for products that are too small to fill a device with tiles:
// several threads share the sum over k of each element, and add their parts in one order. With `AlongK` the numbers of
// a row of a and of a column of b are contiguous, and neighboring threads read neighbors; otherwise they compute
// neighbors of c.
template <class T, bool AlongK>
struct small_product_task {
  static constexpr std::size_t sharers = AlongK ? 16 : 8, elements = AlongK ? 8 : 32, threads = sharers * elements;
  static constexpr std::size_t pad = AlongK ? 1 : 0;  // puts numbers that are added in different banks
  static constexpr unsigned most_threads = threads;
  strided<const T> a, b;
  T* c;
  const T* bias;
  std::size_t m, n, k;

  grid launch() const { return {ceiling(m * n, elements), threads, elements * (sharers + pad) * sizeof(T)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    constexpr std::size_t ahead = 8;  // loads of either factor that are in flight at once
    T* const sums = group.template shared<T>();
    const std::size_t first = group.block() * elements;
    group.each_thread([&](std::size_t t) {
      const std::size_t element = AlongK ? t / sharers : t % elements, sharer = AlongK ? t % sharers : t / elements;
      T sum{};
      if (first + element < m * n) {
        const T* const of_a = a.data + narrow(first + element) / narrow(n) * a.row;
        const T* const of_b = b.data + narrow(first + element) % narrow(n) * b.column;
        for (std::size_t l = sharer; l < k; l += sharers * ahead) {
          T x[ahead], y[ahead];
          SOFTSCORE_UNROLL
          for (std::size_t u = 0; u < ahead; ++u) {
            const std::size_t at = l + u * sharers;
            x[u] = at < k ? of_a[AlongK ? at : at * a.column] : T{};
            y[u] = at < k ? of_b[AlongK ? at : at * b.row] : T{};
          }
          SOFTSCORE_UNROLL
          for (std::size_t u = 0; u < ahead; ++u) sum += x[u] * y[u];
        }
      }
      sums[AlongK ? element * (sharers + pad) + sharer : t] = sum;
    });
    group.each_thread([&](std::size_t t) {
      if (t >= elements || first + t >= m * n) return;
      T sum = bias != nullptr ? bias[narrow(first + t) % narrow(n)] : T{};
      SOFTSCORE_UNROLL
      for (std::size_t s = 0; s < sharers; ++s) sum += sums[AlongK ? t * (sharers + pad) + s : s * elements + t];
      c[first + t] = sum;
    });
  }
};

// Adds c = a b + bias to the command list, where c has contiguous rows. The choice of kernel depends only on the number
// of the layer's weights, `weights`, so that an image has the same bits in a batch of any size.
template <class T, class Be>
void multiply_any(Be& be, strided<const T> a, strided<const T> b, T* c, const T* bias, std::size_t m, std::size_t n,
                  std::size_t k, std::size_t weights) {
  // Every element reads its row and its column; for a batch of 128 this is faster than tiles up to this size.
  constexpr std::size_t most_weights = std::size_t{1} << 14;
  if (weights > most_weights)
    multiply<Be, T>(be, a, b, {c, n, 1, 0}, bias, m, n, k);
  else if (a.column == 1 && b.row == 1)
    be.note(small_product_task<T, true>{a, b, c, bias, m, n, k});
  else
    be.note(small_product_task<T, false>{a, b, c, bias, m, n, k});
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
