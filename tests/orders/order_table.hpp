#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// The orders of the samplers, measured: from time 1 to time 0.05 on Gaussian data with the exact denoiser, mean and
// covariance are propagated through the sampler's own steps, so that there is no sampling error.

/// One sampler under one corruption.
struct order_row {
  /// The largest error of mean and covariance after as many steps, and the evaluations that they cost.
  struct point {
    std::size_t steps{}, nfe{};
    double error{};
  };

  std::string sampler, schedule, family;
  int stated{};        ///< the order that the sampler states; 0 if it tends to another distribution
  std::string reason;  ///< why, then; on mixtures the order is that towards the other distribution
  double limit{};      ///< the error of that distribution
  std::vector<point> fine, coarse;

  /// The slope of the straight line through log error against log steps, by least squares over `fine`.
  double order() const;
};

/// Called with every row when it is measured.
using row_seen = std::function<void(const order_row&)>;

/// All samplers whose steps are linear in the image and the noise, under the corruptions whose schedule and operator
/// family contain these names.
std::vector<order_row> order_table(
    std::string_view schedule = {}, std::string_view family = {}, const row_seen& see = [](const order_row&) {});

/// The same down to time 0, where the last step returns the estimate h and so lacks the variance that x_0 has when the
/// last x but one is known. The first row of a schedule is that variance, no sampler.
std::vector<order_row> end_table();

/// `exponential_integrator`, which needs to know the operator's modes.
void add_in_modes(std::vector<order_row>& rows, std::string_view schedule, std::string_view family);

/// The same samplers where the estimate is not linear: on mixtures of normal distributions, of one pixel and, under a
/// blur, of two. Errors are those of paths, or of mean, variance and fourth moment by quadrature. What tends to another
/// distribution has its order and its errors beside that one.
std::vector<order_row> mixture_table(
    std::string_view schedule = {}, std::string_view family = {}, const row_seen& see = [](const order_row&) {});
