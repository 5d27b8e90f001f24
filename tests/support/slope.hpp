#pragma once

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

// Gradients against finite differences, in double.
//
// The slope of f along u is taken from four values, (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h. Its error is h^4
// f'''''/30 plus the rounding of f, about 1e-16 |f| / h; with h = 1e-3 and |u| = 1 both are below 1e-11 for functions
// of size 1, so a relative error above 1e-7 is a wrong gradient. u is twice the gradient's own direction plus a random
// one, so that the slope is not small by chance.

/// Fixed standard normal numbers.
inline std::vector<double> normal_numbers(std::size_t count, unsigned seed) {
  std::mt19937 engine{seed};
  std::normal_distribution<double> normal;
  std::vector<double> values(count);
  for (double& v : values) v = normal(engine);
  return values;
}

/// |finite difference - <gradient, u>| / |<gradient, u>| for `f(point)`, differentiated at `point`.
template <class Function>
double slope_error(const Function& f, const std::vector<double>& point, const std::vector<double>& gradient,
                   unsigned seed = 1) {
  const auto length = [](const std::vector<double>& a) {
    double sum = 0;
    for (const double v : a) sum += v * v;
    return std::sqrt(sum);
  };
  auto u = normal_numbers(point.size(), seed);
  const double of_u = length(u), of_gradient = length(gradient);
  for (std::size_t i = 0; i < u.size(); ++i) u[i] = u[i] / of_u + 2 * gradient[i] / of_gradient;
  const auto along = [&](double step) {
    auto moved = point;
    for (std::size_t i = 0; i < u.size(); ++i) moved[i] += step * u[i];
    return f(moved);
  };
  constexpr double h = 1e-3;
  const double difference = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h);
  double slope = 0;
  for (std::size_t i = 0; i < u.size(); ++i) slope += gradient[i] * u[i];
  return std::abs(difference - slope) / std::abs(slope);
}
