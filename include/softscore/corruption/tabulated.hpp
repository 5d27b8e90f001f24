#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/corruption/two_stage.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// One row of a `tabulated` schedule.
struct schedule_point {
  double time{}, level{}, sigma{};
  friend bool operator==(const schedule_point&, const schedule_point&) = default;
};

/// A schedule given by points, with straight lines between them (Daras et al. 2022, Appendix C): the result of a
/// search, or the contents of a file (schedule/schedule_file.hpp).
class tabulated {
 public:
  /// Throws `error` unless the times rise from exactly 0 to exactly 1, and level and sigma are finite, at least 0 and
  /// never fall.
  template <class = when_called>
  explicit tabulated(std::vector<schedule_point> points) : points_{std::move(points)} {
    require(points_.size() >= 2, "number of points of the schedule", points_.size(), "at least 2");
    require(points_.front().time == 0.0, "first time of the schedule", points_.front().time, "0");
    require(points_.back().time == 1.0, "last time of the schedule", points_.back().time, "1");
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const schedule_point &p = points_[i], &before = points_[i == 0 ? 0 : i - 1];
      require(i == 0 || p.time > before.time, "time of the schedule", p.time, "larger than the time before it");
      require(std::isfinite(p.level) && p.level >= before.level && p.level >= 0.0, "level of the schedule", p.level,
              "finite, at least 0 and at least the level before it");
      require(std::isfinite(p.sigma) && p.sigma >= before.sigma && p.sigma >= 0.0, "sigma of the schedule", p.sigma,
              "finite, at least 0 and at least the sigma before it");
    }
  }

  const std::vector<schedule_point>& points() const { return points_; }

  level level_at(diffusion_time t) const { return level{between(t, &schedule_point::level)}; }
  double sigma_at(diffusion_time t) const { return between(t, &schedule_point::sigma); }
  /// The slopes; at a point, that of the line after it.
  double level_rate_at(diffusion_time t) const { return slope(t, &schedule_point::level); }
  double sigma_rate_at(diffusion_time t) const { return slope(t, &schedule_point::sigma); }

 private:
  // The first point of the line on which t lies.
  template <class = when_called>
  std::size_t line_of(diffusion_time t) const {
    require(t.value >= 0.0 && t.value <= 1.0, "time", t.value, "between 0 and 1");
    const auto after = std::upper_bound(points_.begin() + 1, points_.end() - 1, t.value,
                                        [](double time, const schedule_point& p) { return time < p.time; });
    return static_cast<std::size_t>(after - points_.begin()) - 1;
  }
  template <class = when_called>
  double between(diffusion_time t, double schedule_point::* what) const {
    const schedule_point &p = points_[line_of(t)], &q = *(&p + 1);
    const double part = (t.value - p.time) / (q.time - p.time);
    // Rounding must not carry a line beyond its ends, or the schedule could fall.
    return (std::min)(q.*what, p.*what + part * (q.*what - p.*what));
  }
  template <class = when_called>
  double slope(diffusion_time t, double schedule_point::* what) const {
    const schedule_point &p = points_[line_of(t)], &q = *(&p + 1);
    return (q.*what - p.*what) / (q.time - p.time);
  }

  std::vector<schedule_point> points_;
};
static_assert(Schedule<tabulated>);

/// Returns a schedule whose first stage is that of `noise`: the noise rises, and the level stays at the first of
/// `levels`. The levels are spread evenly over the time after it (Daras et al. 2022, Appendix C). Of `noise` only the
/// sigmas and the stage are used; its rise is tabulated at 33 times. Throws `error` if there are fewer than two levels.
template <class = when_called>
tabulated after_noise(const std::vector<double>& levels, const two_stage& noise) {
  require(levels.size() >= 2, "number of levels", levels.size(), "at least 2");
  noise.check();
  std::vector<schedule_point> points;
  constexpr int lines = 32;
  for (int i = 0; i < lines; ++i) {
    const double time = noise.stage * i / lines;
    points.push_back({time, levels.front(), noise.sigma_at(diffusion_time{time})});
  }
  const std::size_t last = levels.size() - 1;
  for (std::size_t k = 0; k <= last; ++k) {
    const double done = static_cast<double>(k) / static_cast<double>(last);
    points.push_back({k == last ? 1.0 : noise.stage + done * (1.0 - noise.stage), levels[k], noise.sigma_max});
  }
  return tabulated{std::move(points)};
}

}  // namespace softscore::inline SOFTSCORE_ABI
