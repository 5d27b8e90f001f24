#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/cuda/complex.hpp>
#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A matrix in memory: element (i, j) of matrix b is at data + b each + i row + j column.
template <class Number>
struct strided {
  Number* data;
  std::size_t row, column, each;
};

/// What `multiply_task` does besides multiplying.
struct multiply_options {
  std::size_t conjugate_a{}, conjugate_b{}, accumulate{};  // 1 for yes
};

// c = a b + bias (per column, if there is one), or c += a b, for a batch of matrices of real or complex numbers. A
// block computes a tile of Rows x Columns, and each thread 4 x 4 of it; the sums run over k in one order. A and b pass
// through shared memory 16 columns and rows at a time; the next ones are loaded while these are multiplied.
template <class Number, std::size_t Rows, std::size_t Columns>
struct multiply_task {
  static constexpr std::size_t depth = 16, micro = 4;
  static constexpr std::size_t threads = Rows / micro * (Columns / micro);
  static constexpr unsigned most_threads = threads;
  static constexpr std::size_t pad = 1;  // keeps neighbors in a column of the tile out of one bank

  strided<const Number> a, b;
  strided<Number> c;
  const Number* bias;
  std::size_t m, n, k, batch;
  multiply_options how;

  grid launch() const {
    return {ceiling(m, Rows) * ceiling(n, Columns) * batch, threads,
            depth * (Rows + pad + Columns + pad) * sizeof(Number)};
  }

  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    struct of_thread {
      Number sums[micro][micro];
      Number next_a[share<Rows>], next_b[share<Columns>];
    };
    typename Group::template own<of_thread> own{group};
    Number* tile_a = group.template shared<Number>();  // [depth][Rows + pad]
    Number* tile_b = tile_a + depth * (Rows + pad);    // [depth][Columns + pad]
    const std::uint32_t down = narrow(ceiling(m, Rows)), across = narrow(ceiling(n, Columns));
    const std::uint32_t block = narrow(group.block()), matrix = block / (down * across), tile = block % (down * across);
    const std::size_t first_row = tile / across * Rows, first_column = tile % across * Columns;
    const Number* from_a = a.data + matrix * a.each + first_row * a.row;
    const Number* from_b = b.data + matrix * b.each + first_column * b.column;
    Number* to = c.data + matrix * c.each;
    const std::size_t rows_left = m - first_row, columns_left = n - first_column;

    group.each_thread([&](std::size_t t) {
      SOFTSCORE_UNROLL
      for (std::size_t i = 0; i < micro; ++i) {
        SOFTSCORE_UNROLL
        for (std::size_t j = 0; j < micro; ++j) own(t).sums[i][j] = Number{};
      }
      read<Rows>(t, from_a, a.row, a.column, rows_left, k, how.conjugate_a != 0, own(t).next_a);
      read<Columns>(t, from_b, b.column, b.row, columns_left, k, how.conjugate_b != 0, own(t).next_b);
    });
    for (std::size_t first = 0; first < k; first += depth) {
      group.each_thread([&](std::size_t t) {
        write<Rows>(t, tile_a, a.column == 1, own(t).next_a);
        write<Columns>(t, tile_b, b.row == 1, own(t).next_b);
      });
      group.each_thread([&](std::size_t t) {
        if (const std::size_t next = first + depth; next < k) {
          read<Rows>(t, from_a + next * a.column, a.row, a.column, rows_left, k - next, how.conjugate_a != 0,
                     own(t).next_a);
          read<Columns>(t, from_b + next * b.row, b.column, b.row, columns_left, k - next, how.conjugate_b != 0,
                        own(t).next_b);
        }
        // Thread t computes rows t / (Columns / 4) + Rows / 4 i and columns t % (Columns / 4) + Columns / 4 j of the
        // tile.
        const std::size_t i0 = t / (Columns / micro), j0 = t % (Columns / micro);
        SOFTSCORE_UNROLL
        for (std::size_t l = 0; l < depth; ++l) {
          Number x[micro], y[micro];
          SOFTSCORE_UNROLL
          for (std::size_t i = 0; i < micro; ++i) x[i] = tile_a[l * (Rows + pad) + i0 + i * (Rows / micro)];
          SOFTSCORE_UNROLL
          for (std::size_t j = 0; j < micro; ++j) y[j] = tile_b[l * (Columns + pad) + j0 + j * (Columns / micro)];
          SOFTSCORE_UNROLL
          for (std::size_t i = 0; i < micro; ++i) {
            SOFTSCORE_UNROLL
            for (std::size_t j = 0; j < micro; ++j) add_product(own(t).sums[i][j], x[i], y[j]);
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
          const std::size_t row = first_row + i0 + i * (Rows / micro),
                            column = first_column + j0 + j * (Columns / micro);
          if (row < m && column < n) {
            Number value = own(t).sums[i][j];
            Number& out = to[row * c.row + column * c.column];
            if (bias != nullptr) value = value + bias[column];
            out = how.accumulate != 0 ? out + value : value;
          }
        }
      }
    });
  }

 private:
  // Each thread reads and writes this many numbers of a tile of Extent x depth: element (i, l) is i along the tile's
  // side and l along k. Neighboring threads access neighbors in memory.
  template <std::size_t Extent>
  static constexpr std::size_t share = Extent * depth / threads;
  static_assert(share<Rows> * threads == Rows * depth && share<Columns> * threads == Columns * depth &&
                threads % depth == 0);

  template <std::size_t Extent>
  SOFTSCORE_HD static void read(std::size_t t, const Number* from, std::size_t along, std::size_t into,
                                std::size_t extent_left, std::size_t depth_left, bool conjugated,
                                Number (&next)[share<Extent>]) {
    const bool deep = into == 1;
    SOFTSCORE_UNROLL
    for (std::size_t u = 0; u < share<Extent>; ++u) {
      const std::uint32_t e = narrow(t + u * threads);
      const std::uint32_t i = deep ? e / narrow(depth) : e % narrow(Extent),
                          l = deep ? e % narrow(depth) : e / narrow(Extent);
      next[u] = i < extent_left && l < depth_left ? from[i * along + l * into] : Number{};
    }
    if (!conjugated) return;
    SOFTSCORE_UNROLL
    for (std::size_t u = 0; u < share<Extent>; ++u) next[u] = conjugate(next[u]);
  }
  template <std::size_t Extent>
  SOFTSCORE_HD static void write(std::size_t t, Number* tile, bool deep, const Number (&next)[share<Extent>]) {
    SOFTSCORE_UNROLL
    for (std::size_t u = 0; u < share<Extent>; ++u) {
      const std::uint32_t e = narrow(t + u * threads);
      const std::uint32_t i = deep ? e / narrow(depth) : e % narrow(Extent),
                          l = deep ? e % narrow(depth) : e / narrow(Extent);
      tile[l * (Extent + pad) + i] = next[u];
    }
  }
};

/// Adds c = a b + bias, or c += a b, to the command list; `bias` may be null.
template <class Be, class Number>
void multiply(Be& be, strided<const Number> a, strided<const Number> b, strided<Number> c, const Number* bias,
              std::size_t m, std::size_t n, std::size_t k, std::size_t batch = 1, multiply_options how = {}) {
  const auto noted = [&]<std::size_t Rows, std::size_t Columns>() {
    be.note(multiply_task<Number, Rows, Columns>{a, b, c, bias, m, n, k, batch, how});
  };
  if (m <= 32 && n <= 16)
    noted.template operator()<32, 16>();
  else if (m <= 32)
    noted.template operator()<32, 32>();
  else if (n <= 16)
    noted.template operator()<64, 16>();
  else
    noted.template operator()<64, 32>();
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
