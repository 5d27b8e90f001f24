#pragma once

#include <cstddef>

#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/backend/serial/rows.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

template <class T>
struct gather_rows_task {
  const T* table;
  const T* index;
  T* out;
  std::size_t images, rows, size;
  grid launch() const { return image_grid(images, size); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    each_element_of_images(group, size, [&](std::size_t image, std::size_t e) {
      const T row = index[image];
      out[image * size + e] = names_some_row(row, rows) ? table[static_cast<std::size_t>(row) * size + e] : T{};
    });
  }
};

// A thread for each element of the table.
template <class T>
struct scatter_rows_task {
  const T* index;
  const T* d;
  T* dtable;
  std::size_t images, rows, size;
  grid launch() const { return image_grid(rows, size); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    each_element_of_images(group, size, [&](std::size_t row, std::size_t e) {
      double sum = 0;
      for (std::size_t n = 0; n < images; ++n)
        if (names_row(index[n], row)) sum += static_cast<double>(d[n * size + e]);
      dtable[row * size + e] = static_cast<T>(sum);
    });
  }
};

}  // namespace detail

/// Sets out (N,E): for each image the row of table (K,E) that its index names, as on the serial backend.
template <class Device, class T>
void gather_rows(device_backend<Device>& be, const_view<T, cuda_space> table, const_view<T, cuda_space> index,
                 view<T, cuda_space> out) {
  be.note(detail::gather_rows_task<T>{raw(table), raw(index), raw(out), out.extent().images, table.extent().images,
                                      out.extent().per_image()});
}

/// Sets dtable (K,E) to the sums of the rows of d (N,E) whose index names a row, as on the serial backend.
template <class Device, class T>
void scatter_rows(device_backend<Device>& be, const_view<T, cuda_space> index, const_view<T, cuda_space> d,
                  view<T, cuda_space> dtable) {
  be.note(detail::scatter_rows_task<T>{raw(index), raw(d), raw(dtable), d.extent().images, dtable.extent().images,
                                       dtable.extent().per_image()});
}

}  // namespace softscore::inline SOFTSCORE_ABI
