#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/host_verbs.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/sampler/integrate.hpp>

#include "small_mixture.hpp"

// The moments of what a sampler's chain on a line draws, without sampling error, for steps x_s = F(x_t, z) of any form.
// u(x, t) = E[f(x_end) given x_t = x] goes back from the end, where it is f: u(x, t) = E u(F(x, z), s). The shipped
// step gives F at the nodes of a uniform grid in x and of Gauss and Hermite's quadrature in z. Between its nodes u is
// the polynomial through the nearest eight.

/// Nodes and weights of Gauss and Hermite's quadrature for a standard normal number: the eigenvalues of Jacobi's matrix
/// and the squares of the first elements of its eigenvectors (Golub and Welsch 1969).
struct normal_quadrature {
  std::vector<double> nodes, weights;

  explicit normal_quadrature(int count) {
    Eigen::MatrixXd jacobi = Eigen::MatrixXd::Zero(count, count);
    for (int k = 1; k < count; ++k) jacobi(k, k - 1) = jacobi(k - 1, k) = std::sqrt(static_cast<double>(k));
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved{jacobi};
    for (int k = 0; k < count; ++k) {
      nodes.push_back(solved.eigenvalues()[k]);
      weights.push_back(std::pow(solved.eigenvectors()(0, k), 2));
    }
  }
};

/// At draw k image i gets the node (i / stride) mod Q_k times a direction with one number for each pixel, where the
/// stride is Q_0 ... Q_(k - 1).
class node_noise_backend : public softscore::host_verbs<node_noise_backend> {
 public:
  node_noise_backend(const std::vector<normal_quadrature>& rules, const std::vector<double>& direction)
      : rules_{&rules}, direction_{&direction} {}

  template <class Body>
  void parallel(std::size_t count, const Body& body) const {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }

  template <softscore::Scalar T>
  void normal(softscore::noise_key key, softscore::image_range, softscore::view<T, softscore::host_space> out) const {
    std::size_t stride = 1;
    for (int draw = 0; draw < key.draw; ++draw) stride *= rules_->at(static_cast<std::size_t>(draw)).nodes.size();
    const std::vector<double>& nodes = rules_->at(key.draw).nodes;
    const std::size_t d = direction_->size();
    for (std::size_t i = 0; i < out.extent().images; ++i)
      for (std::size_t k = 0; k < d; ++k)
        out[i * d + k] = static_cast<T>(nodes[i / stride % nodes.size()] * (*direction_)[k]);
  }

 private:
  const std::vector<normal_quadrature>* rules_;
  const std::vector<double>* direction_;
};

/// Equally spaced points that hold a mixture on a line, by 7.5 deviations except for 1e-13 of its mass.
struct line_grid {
  double first{}, step{};
  std::size_t count{};

  line_grid(const std::vector<small_component<1>>& mixture, std::size_t points, double deviations = 7.5)
      : count{points} {
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (const auto& each : mixture) {
      const double reach = deviations * std::sqrt(each.covariance(0, 0));
      low = std::min(low, each.mean[0] - reach);
      high = std::max(high, each.mean[0] + reach);
    }
    first = low;
    step = (high - low) / static_cast<double>(points - 1);
  }
  double operator[](std::size_t i) const { return first + step * static_cast<double>(i); }
};

inline double density(const std::vector<small_component<1>>& mixture, double x) {
  double sum = 0;
  for (const auto& each : mixture) {
    const double variance = each.covariance(0, 0), rest = x - each.mean[0];
    sum += each.weight * std::exp(-0.5 * rest * rest / variance) / std::sqrt(2.0 * M_PI * variance);
  }
  return sum;
}

inline double mean_of_line(const std::vector<small_component<1>>& mixture) {
  double sum = 0;
  for (const auto& each : mixture) sum += each.weight * each.mean[0];
  return sum;
}

/// Mean, variance and fourth moment about `center` of a mixture, in closed form.
inline std::array<double, 3> moments_about(const std::vector<small_component<1>>& mixture, double center) {
  std::array<double, 3> sum{};
  for (const auto& each : mixture) {
    const double v = each.covariance(0, 0), m = each.mean[0] - center;
    sum[0] += each.weight * m;
    sum[1] += each.weight * (m * m + v);
    sum[2] += each.weight * (m * m * m * m + 6 * m * m * v + 3 * v * v);
  }
  return sum;
}

/// The moments as functions of x, on a grid at one time.
class moment_functions {
 public:
  using values = std::array<double, 3>;

  moment_functions(line_grid grid, double center) : grid_{grid}, values_(grid.count) {
    for (std::size_t i = 0; i < grid.count; ++i) {
      const double rest = grid[i] - center;
      values_[i] = {rest, rest * rest, rest * rest * rest * rest};
    }
  }
  moment_functions(line_grid grid, std::vector<values> at_nodes) : grid_{grid}, values_{std::move(at_nodes)} {}

  /// By Lagrange's polynomial of degree 7 in barycentric form; beyond the ends the value there.
  values operator()(double x) const {
    const double place = std::clamp((x - grid_.first) / grid_.step, 0.0, static_cast<double>(grid_.count - 1));
    const double from = std::clamp(std::floor(place) - 3.0, 0.0, static_cast<double>(grid_.count - 8));
    const auto base = static_cast<std::size_t>(from);
    static constexpr std::array<double, 8> binomials{1, -7, 21, -35, 35, -21, 7, -1};
    values sum{};
    double all = 0;
    for (std::size_t k = 0; k < 8; ++k) {
      const double distance = place - from - static_cast<double>(k);
      if (std::abs(distance) < 1e-12) return values_[base + k];
      const double share = binomials[k] / distance;
      all += share;
      for (std::size_t m = 0; m < 3; ++m) sum[m] += share * values_[base + k][m];
    }
    for (double& each : sum) each /= all;
    return sum;
  }

  /// Under a density: by the trapezoidal rule, whose error for a function so smooth is rounding.
  values mean_under(const std::vector<small_component<1>>& mixture) const {
    values sum{};
    for (std::size_t i = 0; i < grid_.count; ++i)
      for (std::size_t m = 0; m < 3; ++m) sum[m] += grid_.step * density(mixture, grid_[i]) * values_[i][m];
    return sum;
  }

 private:
  line_grid grid_;
  std::vector<values> values_;
};

/// The functions u one step earlier: `grid_t` are the nodes at time t; `direction` turns a point of the line into an
/// image; a rule for each draw of the step.
template <class S, class C, class D>
moment_functions one_step_back(const S& sampler, const C& corruption, const D& denoiser, const time_grid& step,
                               const std::vector<double>& direction, const line_grid& grid_t,
                               const moment_functions& after, const std::vector<normal_quadrature>& rules) {
  const std::size_t d = direction.size();
  std::size_t each = 1;
  for (const auto& rule : rules) each *= rule.nodes.size();
  const std::size_t images = grid_t.count * each;
  const shape extent = D::image.with_images(images);
  node_noise_backend be{rules, direction};
  start_point<node_noise_backend, double> from{be.make<double>(extent), be.make<double>(extent), {0, images}};
  for (std::size_t i = 0; i < images; ++i)
    for (std::size_t k = 0; k < d; ++k) from.x.view()[i * d + k] = grid_t[i / each] * direction[k];
  const auto end = integrate(be, sampler, corruption, denoiser, step, std::move(from), 0);
  std::vector<moment_functions::values> before(grid_t.count);
  for (std::size_t i = 0; i < images; ++i) {
    double weight = 1.0, x = 0.0;
    std::size_t rest = i;
    for (const auto& rule : rules) {
      weight *= rule.weights[rest % rule.nodes.size()];
      rest /= rule.nodes.size();
    }
    for (std::size_t k = 0; k < d; ++k) x += end.x.view()[i * d + k] * direction[k];
    const auto found = after(x);
    for (std::size_t m = 0; m < 3; ++m) before[i / each][m] += weight * found[m];
  }
  return {grid_t, std::move(before)};
}
