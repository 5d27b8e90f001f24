#pragma once

#include <concepts>
#include <cstddef>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// One normal distribution of a mixture, and its weight.
struct gaussian_component {
  double weight{1.0};
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;  ///< symmetric, no eigenvalue below 0
};

/// A distribution of images with d elements: the sum of weight times N(mean, covariance). With a single component it is
/// a normal distribution.
using gaussian_mixture = std::vector<gaussian_component>;

/// Throws `error` unless the mixture has at least one component, all components have `elements` elements, and the
/// weights are positive and sum to 1.
template <class = when_called>
void check_mixture(const gaussian_mixture& distribution, std::size_t elements) {
  require(!distribution.empty(), "components of the mixture", distribution.size(), "at least 1");
  double sum = 0.0;
  for (const gaussian_component& c : distribution) {
    require(c.mean.size() == eigen_index(elements), "length of the mean", c.mean.size(),
            "the number of elements of an image");
    require(c.covariance.rows() == c.mean.size(), "rows of the covariance", c.covariance.rows(),
            "the length of the mean, and the columns as many");
    require(c.covariance.cols() == c.mean.size(), "columns of the covariance", c.covariance.cols(),
            "the length of the mean");
    require(c.weight > 0.0, "weight of a component", c.weight, "above 0");
    sum += c.weight;
  }
  require(std::abs(sum - 1.0) < 1e-12, "sum of the weights of a mixture", sum, "1");
}

/// The mean of a mixture.
template <std::floating_point Real = double>
Eigen::VectorX<Real> mean_of(const gaussian_mixture& distribution) {
  Eigen::VectorX<Real> mean = Eigen::VectorX<Real>::Zero(distribution.front().mean.size());
  for (const gaussian_component& c : distribution) mean += static_cast<Real>(c.weight) * c.mean;
  return mean;
}

/// The covariance of a mixture: the mean of the covariances plus the covariance of the means.
template <std::floating_point Real = double>
Eigen::MatrixX<Real> covariance_of(const gaussian_mixture& distribution) {
  const Eigen::VectorX<Real> mean = mean_of<Real>(distribution);
  Eigen::MatrixX<Real> covariance = Eigen::MatrixX<Real>::Zero(mean.size(), mean.size());
  for (const gaussian_component& c : distribution)
    covariance += static_cast<Real>(c.weight) * (c.covariance + (c.mean - mean) * (c.mean - mean).transpose());
  return covariance;
}

}  // namespace softscore::inline SOFTSCORE_ABI
