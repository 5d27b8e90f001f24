#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/cuda/complex.hpp>
#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// `add_up` for `Count` values per thread at once: value k of thread t is at values[k threads + t], and sum k is left in
// values[k threads].
template <std::size_t Count, class Group>
SOFTSCORE_HD void add_up_each(Group& group, double* values) {
  const std::uint32_t threads = narrow(group.threads());
  for (std::uint32_t half = threads / 2; half > 0; half /= 2)
    group.each_thread([&](std::size_t t) {
      if (t >= half) return;
      double sums[Count];
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < Count; ++k)
        sums[k] = values[k * threads + narrow(t)] + values[k * threads + narrow(t) + half];
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < Count; ++k) values[k * threads + narrow(t)] = sums[k];
    });
}

// The sums of the columns of a matrix, or of their real parts, in double: a block for 32 columns, eight threads for
// each, where neighboring threads read neighboring columns. `write(column, sum)` receives them.
struct column_sums {
  static constexpr std::size_t across = 32, down = 8, threads = across * down;

  static grid launch(std::size_t columns) { return {ceiling(columns, across), threads, threads * sizeof(double)}; }
  template <class T, class Group, class Write>
  SOFTSCORE_HD static void add(Group& group, const T* in, std::size_t rows, std::size_t columns, const Write& write) {
    constexpr std::size_t ahead = 8;  // loads that are in flight at once
    double* sums = group.template shared<double>();
    const std::size_t first = group.block() * across;
    group.each_thread([&](std::size_t t) {
      const std::size_t column = first + t % across;
      double sum = 0;
      if (column < columns)
        for (std::size_t row = t / across; row < rows; row += down * ahead) {
          T values[ahead];
          SOFTSCORE_UNROLL
          for (std::size_t u = 0; u < ahead; ++u)
            values[u] = row + u * down < rows ? in[(row + u * down) * columns + column] : T{};
          SOFTSCORE_UNROLL
          for (std::size_t u = 0; u < ahead; ++u) sum += static_cast<double>(real_part(values[u]));
        }
      sums[t] = sum;
    });
    group.each_thread([&](std::size_t t) {
      if (t >= across || first + t >= columns) return;
      double sum = 0;
      SOFTSCORE_UNROLL
      for (std::size_t k = 0; k < down; ++k) sum += sums[k * across + t];
      write(first + t, sum);
    });
  }
};

// out[c] = sum over the rows r of in[r columns + c].
template <class T>
struct sum_task {
  const T* in;
  T* out;
  std::size_t rows, columns;
  grid launch() const { return column_sums::launch(columns); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    column_sums::add(group, in, rows, columns,
                     [&](std::size_t column, double sum) { out[column] = static_cast<T>(sum); });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
