#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/step_at.hpp>

namespace softscore {  // shared

/// The times of a sampling run, from its start down to its end. It owns the (t, s) pairs, so a step always agrees with
/// the list of steps.
class time_grid {
 public:
  /// Times in falling order, all in [0, 1], at least two; throws `error` otherwise.
  SOFTSCORE_SHARED explicit time_grid(std::vector<double> times) : times_{std::move(times)} {
    require(times_.size() >= 2, "number of times in the grid", times_.size(), "at least 2");
    for (std::size_t i = 0; i < times_.size(); ++i) {
      require(times_[i] >= 0.0 && times_[i] <= 1.0, "time in the grid", times_[i], "between 0 and 1");
      if (i > 0) require(times_[i] < times_[i - 1], "time in the grid", times_[i], "smaller than the time before it");
    }
  }

  /// Number of steps, one less than the number of times.
  SOFTSCORE_SHARED std::size_t steps() const { return times_.size() - 1; }
  SOFTSCORE_SHARED step_at operator[](std::size_t step) const {
    return {step, steps(), diffusion_time{times_[step]}, diffusion_time{times_[step + 1]}};
  }
  SOFTSCORE_SHARED diffusion_time start() const { return diffusion_time{times_.front()}; }
  SOFTSCORE_SHARED diffusion_time end() const { return diffusion_time{times_.back()}; }

 private:
  std::vector<double> times_;
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Returns `steps` equal steps from `from` down to `to`. Throws `error` if `steps` is 0 or the times do not fall.
template <class = when_called>
time_grid uniform_grid(std::size_t steps, double from = 1.0, double to = 0.0) {
  require(steps >= 1, "steps", steps, "at least 1");
  static_cast<void>(product_of("steps", {steps}, most_bytes / sizeof(double) - 1));
  auto times = vector_of<double>("times of the grid", {steps + 1});
  for (std::size_t i = 0; i <= steps; ++i)
    times[i] = i == steps ? to : from + (to - from) * static_cast<double>(i) / static_cast<double>(steps);
  return time_grid{std::move(times)};
}

}  // namespace softscore::inline SOFTSCORE_ABI
