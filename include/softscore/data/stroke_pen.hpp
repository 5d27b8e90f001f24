#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/noise.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

/// A position on the paper, x to the right and y down.
struct ink_point {
  double x{}, y{};
};

/// The random numbers of one drawn image, one after another: a function of (seed, image) alone.
class ink_dice {
 public:
  ink_dice(std::uint64_t seed, std::uint64_t image) : key_{seed, noise_stream::data, 0, 0}, image_{image} {}

  double uniform(double low, double high) { return low + (high - low) * softscore::uniform(key_, image_, next_++); }
  bool chance(double probability) { return uniform(0.0, 1.0) < probability; }
  /// A normal number, clipped to two deviations so that no digit is torn apart.
  double normal(double mean, double deviation) {
    const noise_key other{key_.seed, key_.stream, 1, 0};
    const double z = static_cast<double>(normals(other, image_, next_++)[0]);
    return mean + deviation * std::clamp(z, -2.0, 2.0);
  }

 private:
  noise_key key_;
  std::uint64_t image_;
  std::uint32_t next_{};
};

/// A path of the pen as short straight pieces. Glyphs are drawn in a box about one high and 0.7 wide around the origin;
/// the hand moves each control point at random, by an amount that `shake` measures.
template <class = when_called>
class ink_pen {
 public:
  ink_pen(ink_dice& dice, double shake) : dice_{&dice}, shake_{shake} {}

  /// Lifts the pen and sets it down.
  void move_to(double x, double y) {
    if (!points_.empty() && starts_.back() != points_.size()) starts_.push_back(points_.size());
    if (starts_.empty()) starts_.push_back(0);
    points_.push_back(shaken(x, y));
  }
  /// A line with a slight bow.
  void line_to(double x, double y) {
    const ink_point a = points_.back(), b = shaken(x, y);
    const double bow = dice_->normal(0.0, 0.03);
    constexpr int pieces = 6;
    for (int i = 1; i <= pieces; ++i) {
      const double t = static_cast<double>(i) / pieces, side = 4.0 * bow * t * (1.0 - t);
      points_.push_back({a.x + (b.x - a.x) * t - (b.y - a.y) * side, a.y + (b.y - a.y) * t + (b.x - a.x) * side});
    }
  }
  /// A smooth curve (Catmull and Rom's spline) from the pen's position through all the points.
  void curve_through(std::initializer_list<ink_point> through) {
    knots_.assign(1, points_.back());
    for (const auto& p : through) knots_.push_back(shaken(p.x, p.y));
    spline();
  }
  /// Part of an ellipse, from angle `from` over `sweep` (in turns, clockwise from the right), whose size grows by the
  /// factor `growth` on the way. The pen must be lifted: the arc starts the stroke.
  void arc(ink_point center, double rx, double ry, double from, double sweep, double growth) {
    constexpr int pieces = 40;
    for (int i = 0; i <= pieces; ++i) {
      const double t = static_cast<double>(i) / pieces, size = 1.0 + (growth - 1.0) * t;
      const double angle = 2.0 * std::numbers::pi * (from + sweep * t);
      const ink_point p{center.x + rx * size * std::cos(angle), center.y + ry * size * std::sin(angle)};
      if (i == 0) {
        if (starts_.empty() || starts_.back() != points_.size()) starts_.push_back(points_.size());
      }
      points_.push_back(p);
    }
  }

  std::vector<ink_point>& points() { return points_; }
  /// Where in `points` each stroke begins.
  const std::vector<std::size_t>& starts() const { return starts_; }

 private:
  ink_point shaken(double x, double y) { return {x + dice_->normal(0.0, shake_), y + dice_->normal(0.0, shake_)}; }

  void spline() {
    constexpr int pieces = 7;
    const std::size_t last = knots_.size() - 1;
    for (std::size_t k = 0; k < last; ++k) {
      const ink_point b = knots_[k], c = knots_[k + 1];
      const ink_point a = k > 0 ? knots_[k - 1] : ink_point{2 * b.x - c.x, 2 * b.y - c.y};
      const ink_point d = k + 2 <= last ? knots_[k + 2] : ink_point{2 * c.x - b.x, 2 * c.y - b.y};
      for (int i = 1; i <= pieces; ++i) {
        const double t = static_cast<double>(i) / pieces;
        points_.push_back({between(a.x, b.x, c.x, d.x, t), between(a.y, b.y, c.y, d.y, t)});
      }
    }
  }
  static double between(double a, double b, double c, double d, double t) {
    return 0.5 * (2 * b + t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * b - a - 3 * c + d))));
  }

  ink_dice* dice_;
  double shake_;
  std::vector<ink_point> points_, knots_;
  std::vector<std::size_t> starts_;
};

/// Ink on a square of pixels: keeps, for each pixel, its distance from the nearest stroke (negative inside).
template <class = when_called>
class ink_paper {
 public:
  explicit ink_paper(std::size_t side) : side_{side}, outside_(side * side) {}

  void clear() { std::fill(outside_.begin(), outside_.end(), std::numeric_limits<double>::infinity()); }

  /// A straight piece from `a` to `b` in pixels, whose half width changes from `ra` to `rb`.
  void piece(ink_point a, ink_point b, double ra, double rb) {
    const double reach = (std::max)(ra, rb) + edge;
    const auto [left, right] = pixels((std::min)(a.x, b.x) - reach, (std::max)(a.x, b.x) + reach);
    const auto [top, bottom] = pixels((std::min)(a.y, b.y) - reach, (std::max)(a.y, b.y) + reach);
    const double dx = b.x - a.x, dy = b.y - a.y, squared = dx * dx + dy * dy;
    for (std::size_t y = top; y < bottom; ++y) {
      for (std::size_t x = left; x < right; ++x) {
        const double px = static_cast<double>(x) + 0.5 - a.x, py = static_cast<double>(y) + 0.5 - a.y;
        const double t = squared > 0 ? std::clamp((px * dx + py * dy) / squared, 0.0, 1.0) : 0.0;
        const double ex = px - t * dx, ey = py - t * dy;
        double& least = outside_[y * side_ + x];
        least = (std::min)(least, std::sqrt(ex * ex + ey * ey) - (ra + (rb - ra) * t));
      }
    }
  }

  /// The gray value of each pixel: 1 inside, 0 outside, smooth over the width of an edge, rounded to multiples of
  /// 1/255.
  void develop(std::span<float> out) const {
    for (std::size_t i = 0; i < outside_.size(); ++i) {
      const double t = std::clamp(0.5 - 0.5 * outside_[i] / edge, 0.0, 1.0);
      out[i] = static_cast<float>(std::floor(255.0 * t * t * (3.0 - 2.0 * t) + 0.5)) / 255.0f;
    }
  }

 private:
  static constexpr double edge = 0.8;  // half of the soft rim, in pixels

  struct range {
    std::size_t first, end;
  };
  range pixels(double low, double high) const {
    const double side = static_cast<double>(side_);
    return {static_cast<std::size_t>(std::clamp(std::floor(low), 0.0, side)),
            static_cast<std::size_t>(std::clamp(std::ceil(high), 0.0, side))};
  }

  std::size_t side_;
  std::vector<double> outside_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
