#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <softscore/denoiser/gaussian_denoiser.hpp>

#include "affine_run.hpp"
#include "every_sampler.hpp"
#include "gaussian_data.hpp"
#include "order_table.hpp"

// One row of the table: a sampler's errors under one corruption.

using namespace softscore;

inline constexpr double first_time = 1.0, last_time = 0.05;

// Numbers of steps in the range where the highest power decides and rounding does not: the higher the order the fewer.
// A blur of a fraction of a pixel is the identity except for exp(-1 / (2 w^2)), whose derivatives of high order are
// large where it sets in, so high orders show later under a blur.
inline std::vector<std::size_t> steps_for(int order, bool blur) {
  switch (order) {
    case 3:
      return {64, 128, 256, 512};
    case 4:
      return blur ? std::vector<std::size_t>{256, 512, 1024, 2048} : std::vector<std::size_t>{64, 128, 256, 512};
    case 5:
      return blur ? std::vector<std::size_t>{162, 243, 364, 546} : std::vector<std::size_t>{24, 36, 54, 81};
    default:
      return {128, 256, 512, 1024};
  }
}

struct place {
  std::string schedule, family;
  double end{last_time};
};

// The distribution that a step from the end to the end leaves alone, V = M V M^T + n^2 I, by doubling the number of
// steps.
inline Eigen::MatrixXd standing_covariance(Eigen::MatrixXd m, double n) {
  Eigen::MatrixXd v = n * n * Eigen::MatrixXd::Identity(m.rows(), m.cols());
  for (int i = 0; i < 60; ++i) {
    v += m * v * m.transpose();
    m = (m * m).eval();
  }
  return v;
}

template <class C>
auto exact_denoiser(const C& corruption) {
  return gaussian_denoiser<C>{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
}

template <class S, class C>
order_row measure(std::string name, const S& sampler, const place& where, const C& corruption, drawing noise,
                  const other_distribution& other = {}) {
  const bool keeps = other.reason.empty();
  order_row row{std::move(name), where.schedule, where.family, keeps ? S::order : 0, other.reason, 0.0, {}, {}};
  std::vector<std::size_t> steps = steps_for(S::order, where.family == "blur");
  if (noise.draws > 0 && noise.remembers)
    steps = {noise.least_steps, 2 * noise.least_steps, 4 * noise.least_steps, 8 * noise.least_steps};
  if (where.end == 0.0)
    steps = {128, 256, 512, 1024};
  else if (!keeps)
    steps = {32, 256, 2048, 16384};
  const auto exact = exact_denoiser(corruption);
  const auto distribution_at = [&](double t) {
    const auto [mean, covariance] = exact.marginal(diffusion_time{t});
    return gaussian_distribution{mean, covariance};
  };
  const gaussian_distribution from = distribution_at(first_time),
                              wanted = where.end > 0.0 ? distribution_at(where.end)
                                                       : gaussian_distribution{gaussian_mean(), gaussian_covariance()};
  const auto take = [&](std::size_t number) {
    const time_grid grid = uniform_grid(number, first_time, where.end);
    const gaussian_distribution found =
        noise.remembers
            ? distribution_of_run(sampler, corruption, exact, gaussian_image, grid, from, noise.draws)
            : distribution_step_by_step(sampler, corruption, exact, gaussian_image, grid, from, noise.draws);
    given_noise_backend be;
    start_point<given_noise_backend, double> one{
        be.make<double>(gaussian_image), be.make<double>(gaussian_image), {0, 1}};
    const std::size_t nfe = integrate(be, sampler, corruption, exact, grid, std::move(one), 0).nfe;
    return order_row::point{number, nfe,
                            std::max((found.mean - wanted.mean).cwiseAbs().maxCoeff(),
                                     (found.covariance - wanted.covariance).cwiseAbs().maxCoeff())};
  };
  for (const std::size_t n : steps) row.fine.push_back(take(n));
  for (const std::size_t n : {5u, 10u, 20u, 40u, 80u, 160u, 320u}) row.coarse.push_back(take(n));
  if (other.standing) {
    const diffusion_time end{where.end};
    const auto [keep, add] = *other.standing;
    const Eigen::MatrixXd clean = exact.signal_matrix(end) * exact.gain_matrix(end),
                          one = Eigen::MatrixXd::Identity(clean.rows(), clean.cols());
    row.limit = (standing_covariance(clean + keep * (one - clean), add) - wanted.covariance).cwiseAbs().maxCoeff();
  } else if (!keeps) {
    row.limit = row.fine.back().error;
  }
  return row;
}
