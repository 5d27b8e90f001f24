#pragma once

#include <cmath>

#include <softscore/core/eigen.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>

// Gaussian data of six elements, and corruptions that are smooth in time, for measuring orders.

inline constexpr softscore::shape gaussian_image{.images = 1, .channels = 1, .height = 2, .width = 3};

inline Eigen::VectorXd gaussian_mean() {
  Eigen::VectorXd mean(6);
  mean << 0.3, -0.2, 0.5, 0.1, -0.4, 0.2;
  return mean;
}

/// Positive definite, and commutes with neither blur nor fade.
inline Eigen::MatrixXd gaussian_covariance() {
  Eigen::MatrixXd root(6, 6);
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 6; ++j) root(i, j) = std::sin(1.0 + 2.0 * i + 5.0 * j + 0.7 * i * j);
  Eigen::MatrixXd covariance = 0.25 * root * root.transpose();
  covariance.diagonal().array() += 0.3;
  return covariance;
}

inline auto exploding() {
  return softscore::corruption{softscore::identity{},
                               softscore::variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}};
}
inline auto preserving() {
  return softscore::corruption{softscore::scaling{},
                               softscore::variance_preserving{.rate_first = 0.5, .rate_last = 3.0}};
}
inline auto blurring() {
  return softscore::corruption{softscore::gaussian_blur{.half_width = 3},
                               softscore::variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.5}};
}
inline auto fading() {
  return softscore::corruption{softscore::fade{},
                               softscore::variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.0}};
}
