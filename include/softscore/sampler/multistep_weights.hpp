#pragma once

#include <array>
#include <cstddef>
#include <span>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/half_log_snr.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Nodes of a step from 0 to 1 that are closer than this count as one: h changes between them only by rounding.
inline constexpr double least_distance = 1e-4;

// Weights w_j with sum_j w_j p(r_j) = integral_0^1 exp(-H (1 - v)) p(v) dv for every polynomial p of lower degree than
// the number of nodes r_j. Multistep methods use them with nodes where h or the slope is known. H = 0 is the plain
// integral. There are at most four nodes; a node that is too close to an earlier one in the list has weight 0.
inline std::array<double, 4> multistep_weights(double length, std::span<const double> nodes) {
  std::array<double, 4> weights{};
  std::array<bool, 4> counts{};
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    counts[j] = std::isfinite(nodes[j]);
    for (std::size_t k = 0; k < j; ++k)
      counts[j] = counts[j] && !(counts[k] && std::abs(nodes[j] - nodes[k]) < least_distance);
  }
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    if (!counts[j]) continue;
    // The polynomial that is 1 at node j and 0 at the others, given by its coefficients.
    std::array<double, 4> basis{1.0};
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      if (k == j || !counts[k]) continue;
      const double scale = 1.0 / (nodes[j] - nodes[k]);
      for (std::size_t power = 3; power > 0; --power)
        basis[power] = scale * (basis[power - 1] - nodes[k] * basis[power]);
      basis[0] *= -scale * nodes[k];
    }
    for (std::size_t power = 0; power < nodes.size(); ++power)
      weights[j] += basis[power] * exponential_moment(static_cast<int>(power), length);
  }
  return weights;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
