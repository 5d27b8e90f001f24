#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <string>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/view.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A Gaussian fitted to images in their leading modes: the mean, and the standard deviation along each of k orthonormal
/// modes, largest first. It is used as a prior (our own) and for the features of the Frechet distance.
struct principal_components {
  std::vector<double> mean;        ///< d
  std::vector<double> modes;       ///< k x d, one mode per row; its entry of largest magnitude is positive
  std::vector<double> deviations;  ///< k
  double total_variance{};         ///< the sum of the variances along all d axes

  std::size_t dimension() const { return mean.size(); }
  std::size_t count() const { return deviations.size(); }
};

// Functions that compute with Eigen are templates of their precision here, so that only their users compile them.
namespace detail {

/// Computes the mean of the rows, and the sum over rows of (row - mean)(row - mean)^T, in double. The blocks have a
/// fixed length, so the bits depend only on the rows.
template <class T, std::floating_point Real>
struct row_moments {
  Eigen::VectorX<Real> mean;
  Eigen::MatrixX<Real> scatter;

  explicit row_moments(view<T, host_space> images) {
    const auto rows = as_matrix(images);
    constexpr Eigen::Index block = 256;
    mean = Eigen::VectorX<Real>::Zero(rows.cols());
    for (Eigen::Index r = 0; r < rows.rows(); r += block) {
      mean += rows.middleRows(r, (std::min)(block, rows.rows() - r)).template cast<Real>().colwise().sum().transpose();
    }
    mean /= static_cast<double>(rows.rows());
    scatter = matrix_of<Eigen::MatrixX<Real>>("a covariance", rows.cols(), rows.cols());
    scatter.setZero();
    row_matrix<Real> centered;
    for (Eigen::Index r = 0; r < rows.rows(); r += block) {
      centered = rows.middleRows(r, (std::min)(block, rows.rows() - r)).template cast<Real>();
      centered.rowwise() -= mean.transpose();
      scatter.template selfadjointView<Eigen::Lower>().rankUpdate(centered.transpose());
    }
    scatter.template triangularView<Eigen::StrictlyUpper>() = scatter.transpose();
  }
};

/// The rows minus their mean, in double, and that mean.
template <std::floating_point Real>
struct centered_rows {
  row_matrix<Real> rows;
  Eigen::VectorX<Real> mean;

  template <class T>
  explicit centered_rows(view<T, host_space> images) : rows{as_matrix(images).template cast<Real>()} {
    mean = rows.colwise().mean();
    rows.rowwise() -= mean.transpose();
  }
};

// The sum of the variances includes every element of every image.
template <class T>
void require_finite_images(double total_variance, view<T, host_space> images) {
  if (std::isfinite(total_variance)) return;
  for (std::size_t i = 0; i < images.extent().images; ++i)
    for (const auto element : images.image(i))
      if (!std::isfinite(element)) reject("an element of image " + shown(i), element, "finite");
  reject("the total variance of the images", total_variance, "finite");
}

}  // namespace detail

/// Computes the first `count` principal components of a batch of images, from the eigenvectors of their covariance
/// (divisor n - 1), or of the n x n Gram matrix if there are fewer images than elements. Throws `error` unless 1 <=
/// count <= min(n - 1, d), and for the first image that is not finite.
template <class T, std::floating_point Real = double>
principal_components fit_principal_components(view<T, host_space> images, std::size_t count) {
  const std::size_t n = images.extent().images, d = images.extent().per_image();
  require(n >= 2, "the number of images to fit components to", n, "at least 2");
  require(count >= 1 && count <= (std::min)(n - 1, d), "the number of principal components", count,
          "positive, below the number of images and at most the number of pixels");
  principal_components result;
  result.modes = vector_of<double>("elements of the principal components", {count, d});
  result.deviations.resize(count);
  auto modes = as_matrix<Real>(result.modes.data(), count, d);
  const auto divisor = static_cast<Real>(n - 1);
  const auto deviation = [&](Real eigenvalue) { return std::sqrt((std::max)(eigenvalue, Real{0}) / divisor); };
  const auto keep_mean = [&](const Eigen::VectorX<Real>& mean) {
    result.mean.assign(mean.data(), mean.data() + mean.size());
  };

  if (n > d) {
    const detail::row_moments<T, Real> moments{images};
    keep_mean(moments.mean);
    result.total_variance = moments.scatter.trace() / divisor;
    detail::require_finite_images(result.total_variance, images);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<Real>> solved{moments.scatter};
    for (std::size_t k = 0; k < count; ++k) {
      const auto from = eigen_index(d - 1 - k);
      modes.row(eigen_index(k)) = solved.eigenvectors().col(from).transpose();
      result.deviations[k] = deviation(solved.eigenvalues()(from));
    }
  } else {
    const detail::centered_rows<Real> centered{images};
    keep_mean(centered.mean);
    const Eigen::MatrixX<Real> gram = centered.rows * centered.rows.transpose();
    result.total_variance = gram.trace() / divisor;
    detail::require_finite_images(result.total_variance, images);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<Real>> solved{gram};
    for (std::size_t k = 0; k < count; ++k) {
      const auto from = eigen_index(n - 1 - k);
      auto mode = modes.row(eigen_index(k));
      mode = (centered.rows.transpose() * solved.eigenvectors().col(from)).transpose();
      // Orthogonal already, except for rounding, which grows if the eigenvalue is small.
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

/// Returns the coordinates of images along the modes, minus those of the mean: n x k, one image per row.
template <class T, std::floating_point Real = double>
row_matrix<Real> project(const principal_components& components, view<T, host_space> images) {
  const std::size_t n = images.extent().images, d = images.extent().per_image();
  require(d == components.dimension(), "the number of pixels of an image", d, "that of the principal components");
  const row_matrix<Real> modes = as_matrix<Real>(components.modes.data(), components.count(), d);
  const Eigen::RowVectorX<Real> mean = as_matrix<Real>(components.mean.data(), 1, d).row(0);
  const auto rows = as_matrix(images);
  auto coordinates = matrix_of<row_matrix<Real>>("coordinates", eigen_index(n), eigen_index(components.count()));
  constexpr Eigen::Index block = 256;
  row_matrix<Real> centered;
  for (Eigen::Index r = 0; r < rows.rows(); r += block) {
    const auto length = (std::min)(block, rows.rows() - r);
    centered = rows.middleRows(r, length).template cast<Real>();
    centered.rowwise() -= mean;
    coordinates.middleRows(r, length) = centered * modes.transpose();
  }
  return coordinates;
}

}  // namespace softscore::inline SOFTSCORE_ABI
