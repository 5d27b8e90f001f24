#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <softscore/backend/host_verbs.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/sampler/integrate.hpp>

#include "affine_step.hpp"

// With an affine denoiser a whole run of a sampler is affine in the image it starts from and in every number it draws,
// also for methods that remember earlier steps. The map is measured by one run of the shipped sampler: image 0 starts
// from zero, the next d from the unit images, and each of the others gets a single 1 among the numbers drawn for it.

/// Gives image 1 + d + (step * draws + draw) * d + i a 1 as element i of that draw, and zeros otherwise.
class unit_noise_backend : public softscore::host_verbs<unit_noise_backend> {
 public:
  explicit unit_noise_backend(std::size_t draws) : draws_{draws} {}

  template <class Body>
  void parallel(std::size_t count, const Body& body) const {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }

  template <softscore::Scalar T>
  void normal(softscore::noise_key key, softscore::image_range, softscore::view<T, softscore::host_space> out) const {
    const std::size_t d = out.extent().per_image(), first = 1 + d + (key.step * draws_ + key.draw) * d;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = T{};
    if (key.draw >= draws_) return;
    for (std::size_t i = 0; i < d; ++i) out[(first + i) * d + i] = T{1};
  }

 private:
  std::size_t draws_;
};

/// The distribution of the images at the end of the grid when they have the distribution `distribution` at its start,
/// for a sampler that draws `draws` times in a step. No sampling error.
template <class S, class C, class D>
gaussian_distribution distribution_of_run(const S& sampler, const C& corruption, const D& denoiser,
                                          softscore::shape image, const softscore::time_grid& grid,
                                          const gaussian_distribution& distribution, std::size_t draws) {
  const std::size_t d = image.per_image(), images = 1 + d + grid.steps() * draws * d;
  unit_noise_backend be{draws};
  softscore::start_point<unit_noise_backend, double> from{
      be.make<double>(image.with_images(images)), be.make<double>(image.with_images(images)), {0, images}};
  for (std::size_t i = 0; i < d; ++i) from.x.view()[(1 + i) * d + i] = 1.0;
  auto end = softscore::integrate(be, sampler, corruption, denoiser, grid, std::move(from), 0);
  Eigen::MatrixXd rows = softscore::as_matrix(end.x.view());  // one image a row
  const Eigen::RowVectorXd constant = rows.row(0);
  rows.rowwise() -= constant;
  const auto n = static_cast<Eigen::Index>(d);
  const Eigen::MatrixXd state = rows.middleRows(1, n), noise = rows.bottomRows(rows.rows() - 1 - n);
  return {state.transpose() * distribution.mean + constant.transpose(),
          state.transpose() * distribution.covariance * state + noise.transpose() * noise};
}

/// The same for a sampler that remembers nothing from step to step: each step is measured by itself, which costs less
/// where it draws.
template <class S, class C, class D>
gaussian_distribution distribution_step_by_step(const S& sampler, const C& corruption, const D& denoiser,
                                                softscore::shape image, const softscore::time_grid& grid,
                                                gaussian_distribution distribution, std::size_t draws) {
  for (std::size_t i = 0; i < grid.steps(); ++i)
    distribution = distribution_of_run(sampler, corruption, denoiser, image,
                                       softscore::time_grid{{grid[i].t.value, grid[i].s.value}}, distribution, draws);
  return distribution;
}
