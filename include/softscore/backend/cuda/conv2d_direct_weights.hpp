#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/cuda/sums.hpp>
#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/backend/joined_planes.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The gradients of the weights and the bias, tap by tap, in two kernels: the positions of all images are divided into
// chunks, each chunk is summed separately, and then the chunks are added.

// The number of sums in a chunk, and the number of chunks that memory is needed for.
inline std::size_t direct_sums_of(const conv2d_shape& s) { return s.weight().size() + s.out_channels; }
inline std::size_t most_direct_chunks(const conv2d_shape& s) {
  return ceiling(1024, s.out_channels * s.in_channels);  // so that small layers have blocks enough
}
inline std::size_t direct_chunks(const conv2d_shape& s) {
  constexpr std::size_t least = 1024;  // positions that make a block worthwhile
  return (std::min)(most_direct_chunks(s), ceiling(s.images * s.out_height() * s.out_width(), least));
}

// A block per output channel, input channel, tile of the kernel and chunk: a thread adds all taps of the tile at its
// positions. The tile is the kernel, or 8 taps of a row if its size is known only at run time. Sums of up to 16
// positions are in float, and double from there on: converting every number would cost more than its products do.
template <class T, std::size_t Kernel>
struct direct_weight_gradient_task {
  static constexpr std::size_t threads = 128, rows = Kernel > 0 ? Kernel : 1, columns = Kernel > 0 ? Kernel : 8,
                               taps = rows * columns;
  static constexpr unsigned most_threads = threads;
  joined_planes<const T> x;
  const T* dy;
  double* sums;  // chunks x (weights, biases)
  conv2d_shape s;
  std::size_t chunks;

  grid launch() const {
    return {s.out_channels * s.in_channels * tiles_across() * (s.kernel.height / rows) * chunks, threads,
            (taps + 1) * threads * sizeof(double)};
  }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const std::uint32_t block = narrow(group.block()), tiles = narrow(tiles_across() * (s.kernel.height / rows));
    const std::uint32_t pairs = narrow(s.out_channels * s.in_channels), pair = block / tiles % pairs;
    const std::uint32_t row = block % tiles / narrow(tiles_across()) * narrow(rows),
                        column = block % tiles % narrow(tiles_across()) * narrow(columns);
    const std::size_t o = pair / narrow(s.in_channels), i = pair % narrow(s.in_channels), chunk = block / tiles / pairs;
    double* const shared = group.template shared<double>();
    group.each_thread([&](std::size_t t) {
      double total[taps + 1] = {};
      add_places(o, i, row, column, chunk, t, total);
      SOFTSCORE_UNROLL
      for (std::size_t k = 0; k <= taps; ++k) shared[k * threads + t] = total[k];
    });
    add_up_each<taps + 1>(group, shared);
    group.each_thread([&](std::size_t t) {
      const std::size_t weights = pairs * s.kernel.taps();
      double* const to = sums + chunk * (weights + s.out_channels);
      const std::size_t at_row = row + t / columns, at_column = column + t % columns;
      if (t < taps && at_column < s.kernel.width)
        to[(pair * s.kernel.height + at_row) * s.kernel.width + at_column] = shared[t * threads];
      if (t == taps && i == 0 && row == 0 && column == 0) to[weights + o] = shared[t * threads];
    });
  }

 private:
  SOFTSCORE_HD std::size_t tiles_across() const { return ceiling(s.kernel.width, columns); }

  // The products of dy with x under each tap of the tile, and dy itself.
  SOFTSCORE_HD void add_places(std::size_t o, std::size_t i, std::uint32_t tile_row, std::uint32_t tile_column,
                               std::size_t chunk, std::size_t t, double (&total)[taps + 1]) const {
    constexpr std::uint32_t ahead = taps <= 9 ? 2 : 1, at_once = 16;
    const std::uint32_t height = narrow(s.height), width = narrow(s.width);
    const std::uint32_t out_width = narrow(s.out_width()), out_height = narrow(s.out_height());
    const std::uint32_t places = out_height * out_width;
    const std::size_t all = s.images * places, each = ceiling(all, chunks);
    std::size_t at = chunk * each + t;
    const std::size_t end = chunk * each + each < all ? chunk * each + each : all;
    // Image, row and column of a position, and what is added to them for the next one of this thread.
    std::size_t image = at / places;
    std::uint32_t row = narrow(at % places) / out_width, column = narrow(at % places) % out_width;
    const std::uint32_t images_on = narrow(threads) / places, rows_on = narrow(threads) % places / out_width,
                        columns_on = narrow(threads) % places % out_width;
    while (at < end) {
      T sum[taps + 1] = {};
      for (std::uint32_t done = 0; done < at_once && at < end; done += ahead) {
        T of_y[ahead], of_x[ahead][taps];
        SOFTSCORE_UNROLL
        for (std::uint32_t u = 0; u < ahead; ++u) {
          const bool there = at < end;
          of_y[u] = there ? (dy + (image * s.out_channels + o) * places)[row * out_width + column] : T{};
          // Before the first row or column they wrap around to large numbers, because they are unsigned.
          const std::uint32_t top = row * narrow(s.stride) + tile_row - narrow(s.padding.top),
                              left = column * narrow(s.stride) + tile_column - narrow(s.padding.left);
          const T* const from = x.at(image, i);
          SOFTSCORE_UNROLL
          for (std::uint32_t a = 0; a < rows; ++a) {
            SOFTSCORE_UNROLL
            for (std::uint32_t b = 0; b < columns; ++b)
              of_x[u][a * columns + b] =
                  there && top + a < height && left + b < width ? from[(top + a) * width + left + b] : T{};
          }
          at += threads;
          column += columns_on;
          if (column >= out_width) column -= out_width, ++row;
          row += rows_on;
          if (row >= out_height) row -= out_height, ++image;
          image += images_on;
        }
        SOFTSCORE_UNROLL
        for (std::uint32_t u = 0; u < ahead; ++u) {
          SOFTSCORE_UNROLL
          for (std::size_t k = 0; k < taps; ++k) sum[k] += of_y[u] * of_x[u][k];
          sum[taps] += of_y[u];
        }
      }
      SOFTSCORE_UNROLL
      for (std::size_t k = 0; k <= taps; ++k) total[k] += static_cast<double>(sum[k]);
    }
  }
};

// Adds the chunks.
template <class T>
struct direct_weight_sums_task {
  const double* sums;
  T* dweight;
  T* dbias;  // or null
  std::size_t chunks, weights, biases;
  grid launch() const { return column_sums::launch(weights + biases); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    column_sums::add(group, sums, chunks, weights + biases, [&](std::size_t k, double sum) {
      if (k < weights)
        dweight[k] = static_cast<T>(sum);
      else if (dbias != nullptr)
        dbias[k - weights] = static_cast<T>(sum);
    });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
