#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/metric/finite.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Returns the squared 2-Wasserstein distance of two sets of numbers: the integral of the squared difference of their
/// quantiles. It is exact, even for sets of different sizes. Throws `error` if one is empty, and if a number or the
/// distance is not finite.
template <class = when_called>
double wasserstein_of_numbers(std::vector<double> x, std::vector<double> y) {
  const auto check = [](const std::vector<double>& numbers, const std::string& name) {
    require(!numbers.empty(), "the number of points of " + name, numbers.size(), "at least 1");
    for (const double number : numbers) require(std::isfinite(number), "a number of " + name, number, "finite");
  };
  check(x, "the first set");
  check(y, "the second set");
  std::sort(x.begin(), x.end());
  std::sort(y.begin(), y.end());
  const auto n = static_cast<double>(x.size()), m = static_cast<double>(y.size());
  double sum = 0.0, at = 0.0;
  for (std::size_t i = 0, j = 0; i < x.size() && j < y.size();) {
    // Both quantiles are constant until the nearer of their next jumps, (i + 1) / n or (j + 1) / m.
    const std::size_t of_x = (i + 1) * y.size(), of_y = (j + 1) * x.size();
    const double next = static_cast<double>((std::min)(of_x, of_y)) / (n * m);
    sum += (next - at) * (x[i] - y[j]) * (x[i] - y[j]);
    at = next;
    i += of_x <= of_y ? 1 : 0;
    j += of_y <= of_x ? 1 : 0;
  }
  return detail::finite_result("the squared Wasserstein distance", sum);
}

/// Returns the sliced 2-Wasserstein distance between two clouds of points, one per row (Rabin et al. 2011; Bonneel et
/// al. 2015): the root of the mean, over random directions, of the squared distance of the projections. A shift by m
/// changes it by about |m| / sqrt(dimension). Throws `error` unless both have rows and the same number of columns, if
/// there is no direction, and for numbers that are not finite.
template <class T>
double sliced_wasserstein(const row_matrix<T>& x, const row_matrix<T>& y, std::size_t directions = 128,
                          std::uint64_t seed = 0) {
  require(x.cols() == y.cols(), "the dimension of the second cloud", y.cols(), "that of the first");
  require(directions >= 1, "directions", directions, "at least 1");
  require(x.rows() >= 1, "the number of points of the first cloud", x.rows(), "at least 1");
  require(y.rows() >= 1, "the number of points of the second cloud", y.rows(), "at least 1");
  detail::require_finite_rows(x, "point", "the first cloud");
  detail::require_finite_rows(y, "point", "the second cloud");
  const Eigen::Index d = x.cols();
  require(directions <= most_bytes / sizeof(T), "directions", directions, "no more than fit into memory");
  auto along = matrix_of<row_matrix<T>>("directions", d, eigen_index(directions));
  for (std::size_t k = 0; k < directions; ++k) {
    const noise_key key{.seed = seed, .stream = noise_stream::user};
    Eigen::VectorXd direction{d};
    for (Eigen::Index i = 0; i < d; ++i)
      direction[i] =
          static_cast<double>(normals(key, k, static_cast<std::uint32_t>(i / 4))[static_cast<std::size_t>(i % 4)]);
    along.col(eigen_index(k)) = direction.normalized().template cast<T>();
  }
  const row_matrix<T> of_x = x * along, of_y = y * along;
  double sum = 0.0;
  for (Eigen::Index k = 0; k < along.cols(); ++k) {
    std::vector<double> first, second;
    for (Eigen::Index i = 0; i < of_x.rows(); ++i) first.push_back(static_cast<double>(of_x(i, k)));
    for (Eigen::Index i = 0; i < of_y.rows(); ++i) second.push_back(static_cast<double>(of_y(i, k)));
    sum += wasserstein_of_numbers(std::move(first), std::move(second));
  }
  return std::sqrt(detail::finite_result("the squared distance", sum / static_cast<double>(directions)));
}

}  // namespace softscore::inline SOFTSCORE_ABI
