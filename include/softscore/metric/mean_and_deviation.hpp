#pragma once

#include <span>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore {  // shared

/// The mean of repeated measurements, and their spread about it: the root of their mean squared deviation.
struct mean_and_deviation {
  double mean{}, deviation{};
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI::detail {

inline mean_and_deviation summary_of(std::span<const double> values) {
  require(!values.empty(), "the number of measurements", values.size(), "at least 1");
  const auto count = static_cast<double>(values.size());
  mean_and_deviation found;
  for (const double v : values) found.mean += v / count;
  for (const double v : values) found.deviation += (v - found.mean) * (v - found.mean) / count;
  found.deviation = std::sqrt(found.deviation);
  return found;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
