#pragma once

#include <cstddef>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/beta_table.hpp>
#include <softscore/corruption/preserving.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The sigmoid schedule in continuous time (Jabri et al. 2022; Chen 2023, Algorithm 1): abar(t) = (S(end) - S(start + t
/// (end - start))) / (S(end) - S(start)) with S(u) = 1 / (1 + exp(-u / temperature)). It is used with `scaling`. Our
/// time 1 is its time `horizon`; at its own time 1 no signal is left and the level is infinite.
struct sigmoid_gain {
  double start{-3.0}, end{3.0}, temperature{1.0}, horizon{1.0};

  /// Throws `error` unless `start` < `end`, `temperature` > 0 and `horizon` is in (0, 1].
  void check() const {
    require(std::isfinite(end), "end", end, "finite");
    require(start < end && std::isfinite(end - start), "start", start, "finite and below end");
    require(temperature > 0.0 && std::isfinite(temperature), "temperature", temperature, "above 0 and finite");
    require(horizon > 0.0 && horizon <= 1.0, "horizon", horizon, "above 0 and at most 1");
  }

  level level_at(diffusion_time t) const { return level{-0.5 * std::log(abar(t.value))}; }
  double sigma_at(diffusion_time t) const {
    return std::sqrt((sigmoid(place(t.value)) - sigmoid(start)) / (sigmoid(end) - sigmoid(start)));
  }
  double level_rate_at(diffusion_time t) const {
    const double at = sigmoid(place(t.value)), slope = at * (1.0 - at) * horizon * (end - start) / temperature;
    return 0.5 * slope / (sigmoid(end) - at);
  }
  double sigma_rate_at(diffusion_time t) const {
    const double left = abar(t.value);
    return left == 0.0 ? 0.0 : left * level_rate_at(t) / sigma_at(t);
  }

 private:
  double sigmoid(double u) const { return 1.0 / (1.0 + std::exp(-u / temperature)); }
  double place(double t) const { return start + horizon * t * (end - start); }
  double abar(double t) const {
    return horizon * t == 1.0 ? 0.0 : (sigmoid(end) - sigmoid(place(t))) / (sigmoid(end) - sigmoid(start));
  }
};
static_assert(Schedule<sigmoid_gain>);

/// The sigmoid table (Xu et al. 2022, their code): beta_i = first + (last - first) / (1 + exp(-u_i)), with u_i from -6
/// to 6 over i = 1 .. steps.
class sigmoid_beta : public beta_table {
 public:
  /// Throws `error` if `steps` is below 2 or a beta does not lie in (0, 1).
  explicit sigmoid_beta(std::size_t steps = 1000, double first = 1e-4, double last = 0.02)
      : beta_table{betas(steps, first, last)} {}

 private:
  static std::vector<double> betas(std::size_t steps, double first, double last) {
    require(steps >= 2, "steps", steps, "at least 2");
    require(first > 0.0 && first < 1.0, "first beta", first, "between 0 and 1");
    require(last > 0.0 && last < 1.0, "last beta", last, "between 0 and 1");
    auto all = vector_of<double>("steps", {steps});
    for (std::size_t i = 0; i < steps; ++i) {
      const double u = -6.0 + 12.0 * static_cast<double>(i) / static_cast<double>(steps - 1);
      all[i] = first + (last - first) / (1.0 + std::exp(-u));
    }
    return all;
  }
};
static_assert(Schedule<sigmoid_beta>);

}  // namespace softscore::inline SOFTSCORE_ABI
