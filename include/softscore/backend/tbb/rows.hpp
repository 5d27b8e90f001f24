#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/serial/rows.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Sets out (N,E): for each image the row of table (K,E) that its index names, as on the serial backend.
template <class T>
void gather_rows(tbb_backend& be, const_view<T, host_space> table, const_view<T, host_space> index,
                 view<T, host_space> out) {
  const std::size_t rows = table.extent().images, size = table.extent().per_image();
  be.parallel(out.extent().images, [&](std::size_t n) {
    T* to = raw(out) + n * size;
    if (detail::names_some_row(index[n], rows))
      std::copy_n(raw(table) + static_cast<std::size_t>(index[n]) * size, size, to);
    else
      std::fill_n(to, size, T{});
  });
}

/// Sets dtable (K,E) to the sums of the rows of d (N,E) whose index names a row, as on the serial backend.
template <class T>
void scatter_rows(tbb_backend& be, const_view<T, host_space> index, const_view<T, host_space> d,
                  view<T, host_space> dtable) {
  constexpr std::size_t tile = 64;
  const std::size_t images = d.extent().images, size = dtable.extent().per_image();
  be.parallel(dtable.extent().images, [&](std::size_t row) {
    for (std::size_t from = 0; from < size; from += tile) {
      const std::size_t width = (std::min)(tile, size - from);
      double sum[tile] = {};
      for (std::size_t n = 0; n < images; ++n)
        if (detail::names_row(index[n], row))
          for (std::size_t e = 0; e < width; ++e) sum[e] += static_cast<double>(raw(d)[n * size + from + e]);
      for (std::size_t e = 0; e < width; ++e) raw(dtable)[row * size + from + e] = static_cast<T>(sum[e]);
    }
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
