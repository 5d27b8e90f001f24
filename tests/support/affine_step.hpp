#pragma once

#include <cstddef>
#include <utility>

#include <softscore/core/eigen.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/sampler/integrate.hpp>

#include "given_noise_backend.hpp"

// With a denoiser that is affine in x, a sampler's step is affine too: x_s = state x_t + constant + noise z. Here the
// three are measured: the shipped step runs, through `integrate`, on the zero image, on unit images, and on unit noise.

struct affine_step {
  Eigen::MatrixXd state;
  Eigen::VectorXd constant;
  Eigen::MatrixXd noise;
};

struct gaussian_distribution {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};

template <class S, class C, class D>
affine_step measured_step(const S& sampler, const C& corruption, const D& denoiser, softscore::shape image,
                          const softscore::time_grid& grid) {
  const std::size_t d = image.per_image(), images = 2 * d + 1;
  given_noise_backend be;
  be.noise.assign(images * d, 0.0);
  softscore::start_point<given_noise_backend, double> from{
      be.make<double>(image.with_images(images)), be.make<double>(image.with_images(images)), {0, images}};
  for (std::size_t i = 0; i < d; ++i) {
    from.x.view()[(1 + i) * d + i] = 1.0;
    be.noise[(1 + d + i) * d + i] = 1.0;
  }
  auto end = softscore::integrate(be, sampler, corruption, denoiser, grid, std::move(from), 0);
  // One image a row.
  const Eigen::MatrixXd rows = softscore::as_matrix(end.x.view());
  const auto n = static_cast<Eigen::Index>(d);
  const Eigen::VectorXd constant = rows.row(0).transpose();
  return {(rows.middleRows(1, n).transpose()).colwise() - constant, constant,
          (rows.middleRows(1 + n, n).transpose()).colwise() - constant};
}

/// The distribution of the images at the end of the grid when they have the distribution `distribution` at its start
/// and every step's noise is fresh: no sampling error. For samplers that draw once in a step and remember nothing
/// (affine_run.hpp has the others).
template <class S, class C, class D>
gaussian_distribution distribution_after(const S& sampler, const C& corruption, const D& denoiser,
                                         softscore::shape image, const softscore::time_grid& grid,
                                         gaussian_distribution distribution) {
  for (std::size_t i = 0; i < grid.steps(); ++i) {
    const softscore::time_grid step{{grid[i].t.value, grid[i].s.value}};
    const affine_step map = measured_step(sampler, corruption, denoiser, image, step);
    distribution = {map.state * distribution.mean + map.constant,
                    map.state * distribution.covariance * map.state.transpose() + map.noise * map.noise.transpose()};
  }
  return distribution;
}
