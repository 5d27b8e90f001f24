#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/diagonal.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// An eraser head that moves over the image in zig-zags (Knottenbelt n.d., Eq. 5). At every position of its path it
/// multiplies the pixels at distance rho by 0 if rho <= 3 and by 1 - exp(-rho^2 / 18) otherwise. Level w is the
/// severity, from 0 to `severities()`: the product of the first round(M w / severities) of the M heads on the path. The
/// path is drawn for 28 x 28 pixels and stretched to other sizes.
class eraser {
 public:
  static constexpr bool never_amplifies = true;

  /// For images of `height` x `width` pixels, erased in `severities` steps; throws `error` if one of them is below 1.
  template <class = when_called>
  explicit eraser(std::size_t height = 28, std::size_t width = 28, std::size_t severities = 100)
      : height_{height}, width_{width}, severities_{severities} {
    require(height >= 1, "height", height, "at least 1");
    require(width >= 1, "width", width, "at least 1");
    require(severities >= 1, "severities", severities, "at least 1");
    static_cast<void>(product_of("severities x height x width", {severities, height, width}, most_bytes / 16));
    build();
  }

  std::size_t severities() const { return severities_; }
  /// Positions on the path: 219 for 28 x 28.
  std::size_t heads() const { return heads_; }

 private:
  friend struct degradation<eraser>;

  struct place {
    std::ptrdiff_t row, column;
    friend bool operator==(const place&, const place&) = default;
  };

  // Bresenham's line between neighboring corners; a position that was visited before is skipped.
  template <class = when_called>
  std::vector<place> path() const {
    static constexpr std::array<std::pair<int, int>, 16> corners{{{3, 0},
                                                                  {0, 4},
                                                                  {10, 0},
                                                                  {0, 11},
                                                                  {17, 0},
                                                                  {0, 18},
                                                                  {24, 0},
                                                                  {0, 25},
                                                                  {27, 4},
                                                                  {5, 27},
                                                                  {27, 11},
                                                                  {12, 27},
                                                                  {27, 18},
                                                                  {19, 27},
                                                                  {27, 25},
                                                                  {26, 27}}};
    const auto stretched = [](int position, std::size_t side) {
      return static_cast<std::ptrdiff_t>(std::lround(position * (static_cast<double>(side) - 1.0) / 27.0));
    };
    std::vector<place> visited;
    const auto visit = [&](place p) {
      if (std::find(visited.begin(), visited.end(), p) == visited.end()) visited.push_back(p);
    };
    for (std::size_t i = 0; i + 1 < corners.size(); ++i) {
      place p{stretched(corners[i].first, height_), stretched(corners[i].second, width_)};
      const place end{stretched(corners[i + 1].first, height_), stretched(corners[i + 1].second, width_)};
      const std::ptrdiff_t rows = std::abs(end.row - p.row), columns = std::abs(end.column - p.column);
      const std::ptrdiff_t down = p.row < end.row ? 1 : -1, right = p.column < end.column ? 1 : -1;
      const bool steep = rows > columns;
      const std::ptrdiff_t length = (std::max)(rows, columns), drift = (std::min)(rows, columns);
      std::ptrdiff_t balance = 2 * drift - length;
      for (std::ptrdiff_t walked = 0; walked <= length; ++walked) {
        visit(p);
        if (balance >= 0) {
          (steep ? p.column : p.row) += steep ? right : down;
          balance -= 2 * length;
        }
        (steep ? p.row : p.column) += steep ? down : right;
        balance += 2 * drift;
      }
    }
    return visited;
  }

  template <class = when_called>
  void build() {
    const std::size_t plane = height_ * width_;
    auto kept = vector_of<double>("pixels of the eraser", {plane}, 1.0);
    auto table = vector_of<double>("elements of the eraser's table", {severities_ + 1, plane});
    const std::vector<place> places = path();
    heads_ = places.size();
    std::size_t done = 0;
    for (std::size_t t = 0; t <= severities_; ++t) {
      const std::size_t until = (2 * heads_ * t + severities_) / (2 * severities_);  // round(M t / T)
      for (; done < until; ++done)
        for (std::size_t q = 0; q < plane; ++q) {
          const double row = static_cast<double>(q / width_) - static_cast<double>(places[done].row);
          const double column = static_cast<double>(q % width_) - static_cast<double>(places[done].column);
          const double square = row * row + column * column;
          kept[q] *= square <= 9.0 ? 0.0 : -std::expm1(-square / 18.0);
        }
      std::copy(kept.begin(), kept.end(), table.begin() + static_cast<std::ptrdiff_t>(t * plane));
    }
    table_ = std::make_shared<const std::vector<double>>(std::move(table));
  }

  std::size_t height_, width_, severities_, heads_{};
  std::shared_ptr<const std::vector<double>> table_;  // (severities + 1) x height x width
};

template <>
struct degradation<eraser> : diagonal<degradation<eraser>> {
  static void check(const eraser& op, const shape& s) {
    if (s.height != op.height_ || s.width != op.width_)
      reject("the extent of the images", s,
             "as high and as wide as the eraser, " + std::to_string(op.height_) + " x " + std::to_string(op.width_));
  }
  struct severity_count {
    std::size_t last;
  };
  static severity_count parameters(const eraser& op) { return {op.severities_}; }
  static const std::shared_ptr<const std::vector<double>>& table(const eraser& op) { return op.table_; }

  SOFTSCORE_HD static double entry(severity_count severities, level w, const shape& s, pixel p, const double* table) {
    auto severity = static_cast<std::size_t>(w.value + 0.5);
    if (severity > severities.last) severity = severities.last;
    return table[severity * s.plane() + p.row * s.width + p.column];
  }
};
static_assert(LinearOperator<eraser> && HasSvd<eraser>);

}  // namespace softscore::inline SOFTSCORE_ABI
