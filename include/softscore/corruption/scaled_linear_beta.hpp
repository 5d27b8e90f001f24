#pragma once

#include <cstddef>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/beta_table.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The table of latent diffusion (Rombach et al. 2022, their code): sqrt(beta_i) rises linearly from sqrt(`first`) to
/// sqrt(`last`) over i = 1 .. steps.
class scaled_linear_beta : public beta_table {
 public:
  /// Throws `error` if `steps` is 0 or a beta does not lie in (0, 1).
  explicit scaled_linear_beta(std::size_t steps = 1000, double first = 0.00085, double last = 0.012)
      : beta_table{betas(steps, first, last)} {}

  /// beta at `index` of 1 .. steps, from the roots of the first and the last.
  static constexpr double rule(std::size_t index, std::size_t steps, double from, double to) {
    const double root =
        steps == 1 ? from : from + static_cast<double>(index - 1) * (to - from) / static_cast<double>(steps - 1);
    return root * root;
  }

 private:
  static std::vector<double> betas(std::size_t steps, double first, double last) {
    require(first > 0.0 && first < 1.0, "first beta", first, "between 0 and 1");
    require(last > 0.0 && last < 1.0, "last beta", last, "between 0 and 1");
    auto all = vector_of<double>("steps", {steps}, first);
    for (std::size_t i = 1; i < steps; ++i) all[i] = rule(i + 1, steps, std::sqrt(first), std::sqrt(last));
    return all;
  }
};
static_assert(Schedule<scaled_linear_beta>);

}  // namespace softscore::inline SOFTSCORE_ABI
