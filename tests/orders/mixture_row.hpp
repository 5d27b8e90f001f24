#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "every_sampler.hpp"
#include "given_noise_backend.hpp"
#include "line_chain.hpp"
#include "measured_row.hpp"
#include "small_mixture.hpp"

// One row of the table for mixtures: a sampler's errors under one corruption.

// What a run without noise follows: x' = C' h + rate (x - C h). The probability flow has the rate sigma' / sigma; the
// reverse SDE without its noise twice that, less a' / a where C = a I; and cold sampling none.
enum class motion { flow, drift, cold };

// Where a run begins. The first steps of methods with history are of low order; begun late they weigh as much as they
// do with noise, where a run from time 1 without noise would hide them behind the powers that follow.
inline double start_of(motion kind) { return kind == motion::drift ? 0.3 : first_time; }

// Chains that tend to another distribution are measured on a short way, where their noise is not small, so that they
// soon forget where they come from.
inline constexpr double limit_from = 0.33, limit_to = 0.3;

/// The exact paths from the points `starts`, by the classical Runge-Kutta method in `steps` equal steps.
template <int D, class C>
std::vector<small_vector<D>> fine_runge_kutta(const small_mixture<D, C>& exact, motion kind, double from, double to,
                                              std::vector<small_vector<D>> starts, std::size_t steps = 16384) {
  struct moment {
    typename small_mixture<D, C>::memory known;
    small_matrix<D> of_h;
    double rate{};
  };
  const C& c = exact.corruption();
  const auto at = [&](double time) {
    const diffusion_time t{time};
    double rate = 0.0;
    if (kind != motion::cold) rate = c.sigma_rate(t) / c.sigma(t);
    if (kind == motion::drift) {
      rate *= 2.0;
      if constexpr (DifferentiableScalarSignal<C>) rate -= c.signal_gain_rate(t) / c.signal_gain(t);
    }
    return moment{exact.prepare(t), exact.signal_derivative(t) - rate * exact.signal(t), rate};
  };
  const double width = (to - from) / static_cast<double>(steps);
  moment now = at(from);
  for (std::size_t i = 0; i < steps; ++i) {
    const double time = from + width * static_cast<double>(i);
    const moment middle = at(time + 0.5 * width), next = at(i + 1 == steps ? to : time + width);
    for (auto& x : starts) {
      const auto slope = [&](const moment& m, const small_vector<D>& y) -> small_vector<D> {
        return m.of_h * exact.estimate_at(m.known, y) + m.rate * y;
      };
      const small_vector<D> k1 = slope(now, x), k2 = slope(middle, x + 0.5 * width * k1),
                            k3 = slope(middle, x + 0.5 * width * k2), k4 = slope(next, x + width * k3);
      x += width / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
    }
    now = next;
  }
  return starts;
}

/// A corruption, and the two mixtures under it: one for paths, and one that is a problem on a line.
template <int D, class C>
class mixture_place {
 public:
  place where;
  small_mixture<D, C> paths, line;
  std::vector<double> direction;  // of the line

  mixture_place(place at, const C& c, std::vector<small_component<D>> of_paths, std::vector<small_component<D>> of_line,
                std::vector<double> along)
      : where{std::move(at)}, paths{c, std::move(of_paths)}, line{c, std::move(of_line)}, direction{std::move(along)} {}

  const C& corruption() const { return paths.corruption(); }
  double sigma(double t) const { return corruption().sigma(diffusion_time{t}); }

  /// Where paths begin: nine points that cover what is likely at that time.
  std::vector<small_vector<D>> starts(motion kind) const {
    small_vector<D> mean = small_vector<D>::Zero(), square = small_vector<D>::Zero();
    for (const auto& each : paths.marginal(diffusion_time{start_of(kind)})) {
      mean += each.weight * each.mean;
      square += each.weight * (each.mean.cwiseAbs2() + each.covariance.diagonal());
    }
    const small_vector<D> deviation = (square - mean.cwiseAbs2()).cwiseSqrt();
    std::vector<small_vector<D>> points;
    for (int i = 0; i < 9; ++i) {
      small_vector<D> way;
      if constexpr (D == 1)
        way[0] = 0.5 * (i - 4);
      else
        way << 1.4 * (i % 3 - 1), 1.4 * (i / 3 - 1);
      points.push_back(mean + way.cwiseProduct(deviation));
    }
    return points;
  }

  const std::vector<small_vector<D>>& ends(motion kind) {
    auto found = ends_.find(kind);
    if (found == ends_.end())
      found = ends_.emplace(kind, fine_runge_kutta<D, C>(paths, kind, start_of(kind), where.end, starts(kind))).first;
    return found->second;
  }

  /// The distribution of x_t on the line.
  std::vector<small_component<1>> on_line(double t) const {
    const Eigen::Map<const small_vector<D>> along{direction.data()};
    std::vector<small_component<1>> seen;
    for (const auto& each : line.marginal(diffusion_time{t}))
      seen.push_back(
          {each.weight, small_vector<1>{along.dot(each.mean)}, small_matrix<1>{along.dot(each.covariance * along)}});
    return seen;
  }

 private:
  std::map<motion, std::vector<small_vector<D>>> ends_;
};

/// The largest distance from the exact ends after a run of so many steps whose noise is 0.
template <class S, int D, class C>
order_row::point path_error(const S& sampler, mixture_place<D, C>& at, motion kind, std::size_t steps) {
  const auto starts = at.starts(kind);
  const auto& wanted = at.ends(kind);
  const shape extent = at.paths.image.with_images(starts.size());
  given_noise_backend be;
  start_point<given_noise_backend, double> from{be.make<double>(extent), be.make<double>(extent), {0, starts.size()}};
  for (std::size_t i = 0; i < starts.size(); ++i)
    for (std::size_t k = 0; k < std::size_t{D}; ++k) from.x.view()[i * D + k] = starts[i][static_cast<int>(k)];
  const auto end = integrate(be, sampler, at.corruption(), at.paths, uniform_grid(steps, start_of(kind), at.where.end),
                             std::move(from), 0);
  double most = 0;
  for (std::size_t i = 0; i < starts.size(); ++i)
    for (std::size_t k = 0; k < std::size_t{D}; ++k)
      most = std::max(most, std::abs(end.x.view()[i * D + k] - wanted[i][static_cast<int>(k)]));
  return {steps, end.nfe, most};
}

/// A chain from time `from` to time `to`, and how finely it is measured.
struct chain {
  double from{}, to{};
  std::size_t points{};      ///< of the grid in x
  std::vector<int> nodes{};  ///< of each draw's quadrature
  double deviations{7.5};    ///< that the grid reaches: more for a chain that spreads wider than the marginals
};

/// The moments about `center` after a run that starts from the marginal.
template <class S, int D, class C>
moment_functions::values moments_of_chain(const S& sampler, const mixture_place<D, C>& at, const chain& run,
                                          std::size_t steps, double center) {
  const time_grid grid = uniform_grid(steps, run.from, run.to);
  const auto likely = [&](double t) { return line_grid{at.on_line(t), run.points, run.deviations}; };
  std::vector<normal_quadrature> rules;
  for (const int count : run.nodes) rules.emplace_back(count);
  moment_functions u{likely(run.to), center};
  for (std::size_t i = steps; i-- > 0;)
    u = one_step_back(sampler, at.corruption(), at.line, time_grid{{grid[i].t.value, grid[i].s.value}}, at.direction,
                      likely(grid[i].t.value), u, rules);
  return u.mean_under(at.on_line(run.from));
}

inline double largest_gap(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  return std::max({std::abs(a[0] - b[0]), std::abs(a[1] - b[1]), std::abs(a[2] - b[2])});
}

/// The moments of the distribution that x' = C h + keep (x - C h) + add z leaves alone at a time: p(y) = integral p(x)
/// N(y; C h + keep (x - C h), add^2) dx, by the trapezoidal rule.
template <int D, class C>
moment_functions::values standing_moments(const mixture_place<D, C>& at, double time, step_weights rule,
                                          double center) {
  const auto marginal = at.on_line(time);
  line_grid grid{marginal, 2};
  // The rule's error for steps of half of the noise is exp(-2 pi^2 2^2).
  const auto points = static_cast<std::size_t>(std::ceil(2.0 * grid.step / rule.add)) + 1;
  grid = line_grid{marginal, std::max<std::size_t>(points, 200)};
  const auto known = at.line.prepare(diffusion_time{time});
  const Eigen::Map<const small_vector<D>> along{at.direction.data()};
  const small_matrix<D> signal = at.line.signal(diffusion_time{time});
  const auto n = static_cast<Eigen::Index>(grid.count);
  Eigen::MatrixXd system(n, n);
  for (Eigen::Index j = 0; j < n; ++j) {
    const double x = grid[static_cast<std::size_t>(j)];
    const double clean = along.dot(signal * at.line.estimate_at(known, x * along));
    const double to = clean + rule.keep * (x - clean);
    for (Eigen::Index i = 0; i < n; ++i) {
      const double rest = (grid[static_cast<std::size_t>(i)] - to) / rule.add;
      system(i, j) = grid.step * std::exp(-0.5 * rest * rest) / (std::sqrt(2.0 * M_PI) * rule.add);
    }
  }
  system.diagonal().array() -= 1.0;
  // One equation too many, for the whole keeps its mass; in its place that mass is 1.
  system.row(n / 2).setConstant(grid.step);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(n);
  right[n / 2] = 1.0;
  const Eigen::VectorXd standing = system.partialPivLu().solve(right);
  moment_functions::values sum{};
  for (Eigen::Index i = 0; i < n; ++i) {
    const double rest = grid[static_cast<std::size_t>(i)] - center;
    const double mass = grid.step * standing[i];
    sum[0] += mass * rest;
    sum[1] += mass * rest * rest;
    sum[2] += mass * rest * rest * rest * rest;
  }
  return sum;
}

// Numbers of steps of a chain.
inline constexpr std::array<std::size_t, 4> steps_of_chain{64, 128, 256, 512}, steps_to_limit{256, 512, 1024, 2048};

/// The row of a sampler that tends to the distribution which its last step leaves alone: errors are those beside it.
template <class S, int D, class C>
void measure_beside_limit(order_row& row, const S& sampler, const mixture_place<D, C>& at, drawing noise,
                          step_weights standing) {
  const auto marginal = at.on_line(limit_to);
  const double center = mean_of_line(marginal);
  const auto wanted = standing_moments(at, limit_to, standing, center);
  row.limit = largest_gap(wanted, moments_about(marginal, center));
  // The first of two draws is a predictor's, and small.
  const chain run{limit_from, limit_to, 200, noise.draws > 1 ? std::vector<int>{2, 8} : std::vector<int>{8}};
  for (const std::size_t n : steps_to_limit)
    row.fine.push_back({n, 0, largest_gap(wanted, moments_of_chain(sampler, at, run, n, center))});
}

template <class S, int D, class C>
order_row measure_on_mixture(std::string name, const S& sampler, mixture_place<D, C>& at, drawing noise,
                             const other_distribution& other) {
  order_row row{std::move(name), at.where.schedule, at.where.family, S::order, other.reason, 0.0, {}, {}};
  if (other.standing) {
    measure_beside_limit(row, sampler, at, noise, *other.standing);
    return row;
  }
  const auto marginal = at.on_line(at.where.end);
  const double center = mean_of_line(marginal);
  const auto wanted = moments_about(marginal, center);
  constexpr bool is_edm = std::same_as<S, edm_heun>;
  const motion kind = !other.reason.empty() ? motion::cold : noise.draws == 0 ? motion::flow : motion::drift;
  chain run{first_time, at.where.end, 400, std::vector<int>(noise.draws, 8)};
  if (kind == motion::cold) run = {first_time, at.where.end, 4000, {}, 60.0};
  const auto error = [&](std::size_t n) {
    // A step by itself is the only one of its grid, so a share of the churn is all of it.
    if constexpr (is_edm)
      return largest_gap(wanted,
                         moments_of_chain(edm_heun{sampler.churn / static_cast<double>(n)}, at, run, n, center));
    else
      return largest_gap(wanted, moments_of_chain(sampler, at, run, n, center));
  };
  if (kind == motion::drift && (is_edm || !noise.remembers)) {
    for (const std::size_t n : steps_of_chain) row.fine.push_back({n, 0, error(n)});
  } else {
    for (const std::size_t n : steps_for(S::order, at.where.family == "blur"))
      row.fine.push_back(path_error(sampler, at, kind, n));
    if (kind == motion::cold) row.limit = error(steps_of_chain.back());
  }
  return row;
}
