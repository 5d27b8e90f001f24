#pragma once

#include <cstddef>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/beta_table.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// DDPM's discrete schedule (Ho et al. 2020, Section 4): beta_i rises linearly from `first` to `last` over i = 1 ..
/// steps.
class linear_beta : public beta_table {
 public:
  /// Throws `error` if `steps` is 0 or a beta does not lie in (0, 1).
  explicit linear_beta(std::size_t steps = 1000, double first = 1e-4, double last = 0.02)
      : beta_table{betas(steps, first, last)} {}

  /// beta at `index` of 1 .. steps.
  static constexpr double rule(std::size_t index, std::size_t steps, double first, double last) {
    return steps == 1 ? first
                      : first + static_cast<double>(index - 1) * (last - first) / static_cast<double>(steps - 1);
  }

 private:
  static std::vector<double> betas(std::size_t steps, double first, double last) {
    require(first > 0.0 && first < 1.0, "first beta", first, "between 0 and 1");
    require(last > 0.0 && last < 1.0, "last beta", last, "between 0 and 1");
    auto all = vector_of<double>("steps", {steps});
    for (std::size_t i = 0; i < steps; ++i) all[i] = rule(i + 1, steps, first, last);
    return all;
  }
};
static_assert(Schedule<linear_beta>);

}  // namespace softscore::inline SOFTSCORE_ABI
