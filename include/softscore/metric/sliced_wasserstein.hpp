#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>

namespace softscore {

/// The squared 2-Wasserstein distance of two sets of numbers: the integral of the squared difference of their
/// quantiles. Exact, also for sets of different sizes. Throws `error` if one is empty.
template <class = when_called>
double wasserstein_of_numbers(std::vector<double> x, std::vector<double> y) {
  require(!x.empty() && !y.empty(), "the number of points", (std::min)(x.size(), y.size()), "at least 1");
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
  return sum;
}

/// Sliced 2-Wasserstein distance between two clouds of points, one a row (Rabin et al.: "Wasserstein Barycenter and Its
/// Application to Texture Mixing"; Bonneel et al.): the root of the mean, over random directions, of the squared
/// distance of the projections. A shift by m changes it by about |m| / sqrt(dimension). Throws `error` unless both have
/// rows, equally many columns, and there is a direction.
template <class T>
double sliced_wasserstein(const row_matrix<T>& x, const row_matrix<T>& y, std::size_t directions = 128,
                          std::uint64_t seed = 0) {
  require(x.cols() == y.cols(), "the dimension of the second cloud", y.cols(), "that of the first");
  require(directions >= 1, "directions", directions, "at least 1");
  const Eigen::Index d = x.cols();
  row_matrix<T> along{d, eigen_index(directions)};
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
  return std::sqrt(sum / static_cast<double>(directions));
}

}  // namespace softscore
