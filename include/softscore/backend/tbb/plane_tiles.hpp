#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Part of a side: `count` pixels from `first` on. A kernel centered on them also reads the `before` and `after` pixels
// around them, which are fewer at the ends of the side.
struct plane_stretch {
  std::size_t first, count, before, after;

  std::size_t begin() const { return first - before; }
  std::size_t read() const { return before + count + after; }
};

struct plane_tile {
  plane_stretch rows, columns;
};

// A plane cut for 'same' convolutions by transforms of `length` numbers, with kernels that reach `radius` past their
// center (overlap-save, textbook). A side that fits is not cut: if side + radius <= length, what wraps around at its
// ends meets zeros. Otherwise it is cut into as few stretches as possible, of about the same size. Each is read with
// its neighbors, and what wraps around falls on these.
class plane_tiles {
 public:
  // Whether a transform takes the whole plane, or otherwise has at least half of its length in pixels that count.
  static bool serve(std::size_t height, std::size_t width, std::size_t radius, std::size_t length) {
    return 4 * radius <= length || (fits(height, radius, length) && fits(width, radius, length));
  }

  plane_tiles(std::size_t height, std::size_t width, std::size_t radius, std::size_t length)
      : height_{height},
        width_{width},
        radius_{radius},
        down_{stretches(height, radius, length)},
        across_{stretches(width, radius, length)} {}

  std::size_t count() const { return down_ * across_; }
  bool whole() const { return count() == 1; }
  plane_tile at(std::size_t tile) const {
    return {stretch(height_, down_, tile / across_), stretch(width_, across_, tile % across_)};
  }

 private:
  static bool fits(std::size_t side, std::size_t radius, std::size_t length) { return side + radius <= length; }
  static std::size_t stretches(std::size_t side, std::size_t radius, std::size_t length) {
    if (fits(side, radius, length)) return 1;
    const std::size_t most = length - 2 * radius;
    return (side + most - 1) / most;
  }
  plane_stretch stretch(std::size_t side, std::size_t count, std::size_t index) const {
    const std::size_t each = side / count, longer = side % count;
    const std::size_t first = index * each + (std::min)(index, longer), size = each + (index < longer ? 1 : 0);
    return {first, size, (std::min)(radius_, first), (std::min)(radius_, side - first - size)};
  }

  std::size_t height_, width_, radius_, down_, across_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
