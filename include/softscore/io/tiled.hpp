#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Returns one image that shows all images of a batch in a grid, `columns` in a row, with `gap` pixels of value
/// `background` between and around them. Throws `error` if there is no image or no column.
template <class = when_called>
image_batch tiled(view<const float, host_space> images, std::size_t columns, std::size_t gap = 2,
                  float background = 0.5f) {
  const shape& s = images.extent();
  require(s.size() > 0, "the shape of the images to tile", s, "at least one pixel");
  require(columns > 0, "the number of columns", columns, "positive");
  columns = (std::min)(columns, s.images);
  const std::size_t rows = (s.images + columns - 1) / columns;
  auto grid = make_tensor({1, s.channels, rows * (s.height + gap) + gap, columns * (s.width + gap) + gap});
  grid.fill(background);
  const shape g = extent_of(grid);
  for (std::size_t i = 0; i < s.images; ++i) {
    const std::size_t top = i / columns * (s.height + gap) + gap, left = i % columns * (s.width + gap) + gap;
    const auto from = images.image(i);
    for (std::size_t c = 0; c < s.channels; ++c) {
      for (std::size_t y = 0; y < s.height; ++y) {
        const float* const row = &from[(c * s.height + y) * s.width];
        std::copy_n(row, s.width, grid.data() + pixel{c, top + y, left}.offset(g));
      }
    }
  }
  return grid;
}
template <class = when_called>
image_batch tiled(const image_batch& images, std::size_t columns, std::size_t gap = 2, float background = 0.5f) {
  return tiled(as_view(images), columns, gap, background);
}

}  // namespace softscore::inline SOFTSCORE_ABI
