#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/view.hpp>

namespace softscore {

/// A Gaussian fitted to images in their leading modes: mean, and along each of k orthonormal modes the standard
/// deviation, largest first. It serves as a start law (EQUATIONS D2) and as features (M1).
struct principal_components {
  std::vector<double> mean;        ///< d
  std::vector<double> modes;       ///< k x d, one mode a row; its entry of largest size is positive
  std::vector<double> deviations;  ///< k
  double total_variance{};         ///< the sum of the variances along all d axes

  std::size_t dimension() const { return mean.size(); }
  std::size_t count() const { return deviations.size(); }
};

namespace detail {

/// Mean of the rows, and the sum over rows of (row - mean)(row - mean)^T, in double. The blocks are of fixed length, so
/// the bits do not depend on anything but the rows.
template <class T>
struct row_moments {
  Eigen::VectorXd mean;
  Eigen::MatrixXd scatter;

  explicit row_moments(view<T, host_space> images) {
    const auto rows = as_matrix(images);
    constexpr Eigen::Index block = 256;
    mean = Eigen::VectorXd::Zero(rows.cols());
    for (Eigen::Index r = 0; r < rows.rows(); r += block) {
      mean += rows.middleRows(r, std::min(block, rows.rows() - r)).template cast<double>().colwise().sum().transpose();
    }
    mean /= static_cast<double>(rows.rows());
    scatter = Eigen::MatrixXd::Zero(rows.cols(), rows.cols());
    row_matrix<double> centred;
    for (Eigen::Index r = 0; r < rows.rows(); r += block) {
      centred = rows.middleRows(r, std::min(block, rows.rows() - r)).template cast<double>();
      centred.rowwise() -= mean.transpose();
      scatter.selfadjointView<Eigen::Lower>().rankUpdate(centred.transpose());
    }
    scatter.triangularView<Eigen::StrictlyUpper>() = scatter.transpose();
  }
};

/// The rows less their mean, in double, and that mean.
struct centred_rows {
  row_matrix<double> rows;
  Eigen::VectorXd mean;

  template <class T>
  explicit centred_rows(view<T, host_space> images) : rows{as_matrix(images).template cast<double>()} {
    mean = rows.colwise().mean();
    rows.rowwise() -= mean.transpose();
  }
};

}  // namespace detail

/// The first `count` principal components of a batch of images, by the eigenvectors of their covariance (divisor
/// n - 1); of the n x n Gram matrix where there are fewer images than elements. Throws `error` unless
/// 1 <= count <= min(n - 1, d).
template <class T>
principal_components fit_principal_components(view<T, host_space> images, std::size_t count) {
  const std::size_t n = images.extent().images, d = images.extent().per_image();
  require(n >= 2, "the number of images to fit components to", n, "at least 2");
  require(count >= 1 && count <= std::min(n - 1, d), "the number of principal components", count,
          "positive, below the number of images and at most the number of pixels");
  principal_components result;
  result.modes.resize(count * d);
  result.deviations.resize(count);
  auto modes = as_matrix(result.modes.data(), count, d);
  const auto divisor = static_cast<double>(n - 1);
  const auto deviation = [&](double eigenvalue) { return std::sqrt(std::max(eigenvalue, 0.0) / divisor); };
  const auto keep_mean = [&](const Eigen::VectorXd& mean) {
    result.mean.assign(mean.data(), mean.data() + mean.size());
  };

  if (n > d) {
    const detail::row_moments moments{images};
    keep_mean(moments.mean);
    result.total_variance = moments.scatter.trace() / divisor;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved{moments.scatter};
    for (std::size_t k = 0; k < count; ++k) {
      const auto from = eigen_index(d - 1 - k);
      modes.row(eigen_index(k)) = solved.eigenvectors().col(from).transpose();
      result.deviations[k] = deviation(solved.eigenvalues()(from));
    }
  } else {
    const detail::centred_rows centred{images};
    keep_mean(centred.mean);
    const Eigen::MatrixXd gram = centred.rows * centred.rows.transpose();
    result.total_variance = gram.trace() / divisor;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved{gram};
    for (std::size_t k = 0; k < count; ++k) {
      const auto from = eigen_index(n - 1 - k);
      auto mode = modes.row(eigen_index(k));
      mode = (centred.rows.transpose() * solved.eigenvectors().col(from)).transpose();
      // Orthogonal already but for rounding, which grows where the eigenvalue is small.
      for (int twice = 0; twice < 2; ++twice) {
        for (std::size_t j = 0; j < k; ++j) mode -= mode.dot(modes.row(eigen_index(j))) * modes.row(eigen_index(j));
      }
      result.deviations[k] = deviation(solved.eigenvalues()(from));
      if (mode.norm() > 0) mode.normalize();
    }
  }
  for (std::size_t k = 0; k < count; ++k) {
    Eigen::Index largest = 0;
    auto mode = modes.row(eigen_index(k));
    mode.cwiseAbs().maxCoeff(&largest);
    if (mode(largest) < 0) mode = -mode;
  }
  return result;
}

/// Coordinates of images along the modes, less those of the mean: n x k, one image a row.
template <class T>
row_matrix<double> project(const principal_components& components, view<T, host_space> images) {
  const std::size_t n = images.extent().images, d = images.extent().per_image();
  require(d == components.dimension(), "the number of pixels of an image", d, "that of the principal components");
  const auto modes = as_matrix(components.modes.data(), components.count(), d);
  const auto mean = as_matrix(components.mean.data(), 1, d).row(0);
  const auto rows = as_matrix(images);
  row_matrix<double> coordinates(eigen_index(n), eigen_index(components.count()));
  constexpr Eigen::Index block = 256;
  row_matrix<double> centred;
  for (Eigen::Index r = 0; r < rows.rows(); r += block) {
    const auto length = std::min(block, rows.rows() - r);
    centred = rows.middleRows(r, length).template cast<double>();
    centred.rowwise() -= mean;
    coordinates.middleRows(r, length) = centred * modes.transpose();
  }
  return coordinates;
}

}  // namespace softscore
