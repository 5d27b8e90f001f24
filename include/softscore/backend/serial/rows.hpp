#pragma once

#include <cstddef>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Whether `index` names row `row`, and any row of `rows`. Both are false for a NaN.
template <class T>
SOFTSCORE_HD bool names_row(T index, std::size_t row) {
  return index == static_cast<T>(row);
}
template <class T>
SOFTSCORE_HD bool names_some_row(T index, std::size_t rows) {
  return index >= T(0) && index < static_cast<T>(rows);
}

}  // namespace detail

/// Sets out (N,E): for each image the row of table (K,E) that its index (N,1,1,1) names, an integer below K in a T; a
/// negative index gives zeros. Callers check that no index is too large; one that is gives zeros too.
template <class T>
void gather_rows(serial_backend&, const_view<T, host_space> table, const_view<T, host_space> index,
                 view<T, host_space> out) {
  const std::size_t rows = table.extent().images, size = table.extent().per_image();
  for (std::size_t n = 0; n < out.extent().images; ++n) {
    const bool some = detail::names_some_row(index[n], rows);
    for (std::size_t e = 0; e < size; ++e)
      out[n * size + e] = some ? table[static_cast<std::size_t>(index[n]) * size + e] : T{};
  }
}

/// Sets dtable (K,E), the gradient with respect to the table, from d (N,E), the gradient with respect to the result of
/// `gather_rows`. Each row is the sum of the rows of d whose index names it, in double and in the order of the images.
template <class T>
void scatter_rows(serial_backend&, const_view<T, host_space> index, const_view<T, host_space> d,
                  view<T, host_space> dtable) {
  const std::size_t images = d.extent().images, size = dtable.extent().per_image();
  for (std::size_t i = 0; i < dtable.size(); ++i) {
    double sum = 0;
    for (std::size_t n = 0; n < images; ++n)
      if (detail::names_row(index[n], i / size)) sum += static_cast<double>(d[n * size + i % size]);
    dtable[i] = static_cast<T>(sum);
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
