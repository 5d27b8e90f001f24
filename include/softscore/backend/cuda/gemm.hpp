#pragma once

#include <cstddef>

#include <softscore/backend/cuda/complex.hpp>
#include <softscore/backend/cuda/tasks.hpp>

namespace softscore::detail {

// A matrix in memory: element (i, j) of matrix number b lies at data + b each + i row + j column.
template <class Number>
struct strided {
  Number* data;
  std::size_t row, column, each;
};

/// What `multiply_task` does besides multiplying.
struct multiply_options {
  std::size_t conjugate_a{}, conjugate_b{}, accumulate{};  // 1 for yes
};

// c = a b + bias (per column, where there is one), or c += a b, for a batch of matrices of real or complex numbers. A
// block makes a tile of 64 x Columns, each thread 4 x 4 of it; the sums run over k in one order. A and b go through
// shared memory 16 columns and rows at a time.
template <class Number, std::size_t Columns>
struct multiply_task {
  static constexpr std::size_t rows = 64, depth = 16, micro = 4;
  static constexpr std::size_t threads = rows / micro * (Columns / micro);
  static constexpr unsigned most_threads = threads;
  static constexpr std::size_t pad = 1;  // keeps neighbours in a column of the tile out of one bank

  strided<const Number> a, b;
  strided<Number> c;
  const Number* bias;
  std::size_t m, n, k, batch;
  multiply_options how;

  grid launch() const {
    return {ceiling(m, rows) * ceiling(n, Columns) * batch, threads,
            depth * (rows + pad + Columns + pad) * sizeof(Number)};
  }

  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    struct sums {
      Number at[micro][micro];
    };
    typename Group::template own<sums> own{group};
    Number* tile_a = group.template shared<Number>();  // [depth][rows + pad]
    Number* tile_b = tile_a + depth * (rows + pad);    // [depth][Columns + pad]
    const std::size_t down = ceiling(m, rows), across = ceiling(n, Columns);
    const std::size_t matrix = group.block() / (down * across), tile = group.block() % (down * across);
    const std::size_t first_row = tile / across * rows, first_column = tile % across * Columns;
    const Number* from_a = a.data + matrix * a.each;
    const Number* from_b = b.data + matrix * b.each;
    Number* to = c.data + matrix * c.each;

    group.each_thread([&](std::size_t t) {
      SOFTSCORE_UNROLL
      for (std::size_t i = 0; i < micro; ++i) {
        SOFTSCORE_UNROLL
        for (std::size_t j = 0; j < micro; ++j) own(t).at[i][j] = Number{};
      }
    });
    for (std::size_t first = 0; first < k; first += depth) {
      group.each_thread([&](std::size_t t) {
        // Neighbouring threads take neighbours in memory.
        for (std::size_t e = t; e < rows * depth; e += threads) {
          const std::size_t i = a.column == 1 ? e / depth : e % rows, l = a.column == 1 ? e % depth : e / rows;
          Number value{};
          if (first_row + i < m && first + l < k) value = from_a[(first_row + i) * a.row + (first + l) * a.column];
          tile_a[l * (rows + pad) + i] = how.conjugate_a != 0 ? conjugate(value) : value;
        }
        for (std::size_t e = t; e < Columns * depth; e += threads) {
          const std::size_t j = b.column == 1 ? e % Columns : e / depth, l = b.column == 1 ? e / Columns : e % depth;
          Number value{};
          if (first_column + j < n && first + l < k)
            value = from_b[(first + l) * b.row + (first_column + j) * b.column];
          tile_b[l * (Columns + pad) + j] = how.conjugate_b != 0 ? conjugate(value) : value;
        }
      });
      group.each_thread([&](std::size_t t) {
        // Thread t makes rows t / (Columns / 4) + 16 i and columns t % (Columns / 4) + Columns / 4 j of the tile.
        const std::size_t i0 = t / (Columns / micro), j0 = t % (Columns / micro);
        sums& own_sums = own(t);
        SOFTSCORE_UNROLL
        for (std::size_t l = 0; l < depth; ++l) {
          Number x[micro], y[micro];
          SOFTSCORE_UNROLL
          for (std::size_t i = 0; i < micro; ++i) x[i] = tile_a[l * (rows + pad) + i0 + i * (rows / micro)];
          SOFTSCORE_UNROLL
          for (std::size_t j = 0; j < micro; ++j) y[j] = tile_b[l * (Columns + pad) + j0 + j * (Columns / micro)];
          SOFTSCORE_UNROLL
          for (std::size_t i = 0; i < micro; ++i) {
            SOFTSCORE_UNROLL
            for (std::size_t j = 0; j < micro; ++j) add_product(own_sums.at[i][j], x[i], y[j]);
          }
        }
      });
    }
    group.each_thread([&](std::size_t t) {
      const std::size_t i0 = t / (Columns / micro), j0 = t % (Columns / micro);
      SOFTSCORE_UNROLL
      for (std::size_t i = 0; i < micro; ++i) {
        SOFTSCORE_UNROLL
        for (std::size_t j = 0; j < micro; ++j) {
          const std::size_t row = first_row + i0 + i * (rows / micro),
                            column = first_column + j0 + j * (Columns / micro);
          if (row < m && column < n) {
            Number value = own(t).at[i][j];
            Number& out = to[row * c.row + column * c.column];
            if (bias != nullptr) value = value + bias[column];
            out = how.accumulate != 0 ? out + value : value;
          }
        }
      }
    });
  }
};

/// Notes c = a b + bias, or c += a b; `bias` may be null.
template <class Be, class Number>
void multiply(Be& be, strided<const Number> a, strided<const Number> b, strided<Number> c, const Number* bias,
              std::size_t m, std::size_t n, std::size_t k, std::size_t batch = 1, multiply_options how = {}) {
  if (n <= 16)
    be.note(multiply_task<Number, 16>{a, b, c, bias, m, n, k, batch, how});
  else
    be.note(multiply_task<Number, 32>{a, b, c, bias, m, n, k, batch, how});
}

// out[r] = sum over the images n and the places p < length of in[(n rows + r) length + p], a block per r, in double.
template <class T>
struct sum_task {
  const T* in;
  T* out;
  std::size_t images, rows, length;
  grid launch() const { return {rows, flat_threads, flat_threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const std::size_t r = group.block();
    group.each_thread([&](std::size_t t) {
      double sum = 0;
      for (std::size_t i = t; i < images * length; i += group.threads())
        sum += static_cast<double>(in[(i / length * rows + r) * length + i % length]);
      sums[t] = sum;
    });
    add_up(group, sums);
    group.each_thread([&](std::size_t t) {
      if (t == 0) out[r] = static_cast<T>(sums[0]);
    });
  }
};

}  // namespace softscore::detail
