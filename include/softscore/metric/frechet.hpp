#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/view.hpp>
#include <softscore/metric/pca.hpp>

namespace softscore {

/// A normal law by its first two moments.
struct gaussian_moments {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};

/// Mean and covariance (divisor n - 1) of the rows of a matrix, at least two.
inline gaussian_moments moments_of(const row_matrix<double>& rows) {
  require(rows.rows() >= 2, "the number of samples", rows.rows(), "at least 2");
  gaussian_moments result;
  result.mean = rows.colwise().mean();
  const row_matrix<double> centred = rows.rowwise() - result.mean.transpose();
  result.covariance = centred.transpose() * centred / static_cast<double>(rows.rows() - 1);
  return result;
}

namespace detail {

/// The sum of the singular values s of M. The symmetric matrix [0 M; M^T 0] has the eigenvalues s, -s and zeros, each
/// found to within the rounding of the largest, as a singular value decomposition would; Eigen's takes twenty seconds
/// to compile.
inline double nuclear_norm(const Eigen::MatrixXd& matrix) {
  const Eigen::Index rows = matrix.rows(), size = rows + matrix.cols();
  Eigen::MatrixXd both = Eigen::MatrixXd::Zero(size, size);
  both.bottomLeftCorner(matrix.cols(), rows) = matrix.transpose();  // the solver reads the lower triangle
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved{both, Eigen::EigenvaluesOnly};
  return 0.5 * solved.eigenvalues().cwiseAbs().sum();
}

/// F with F F^T the symmetric matrix. Eigenvalues within the rounding of the largest are 0: their square roots would
/// be noise of a far larger size.
inline Eigen::MatrixXd factor_of(const Eigen::MatrixXd& covariance) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved{covariance};
  const double rounding = static_cast<double>(covariance.rows()) * std::numeric_limits<double>::epsilon() *
                          solved.eigenvalues().cwiseAbs().maxCoeff();
  const Eigen::VectorXd roots =
      solved.eigenvalues().unaryExpr([&](double value) { return value > rounding ? std::sqrt(value) : 0.0; });
  return solved.eigenvectors() * roots.asDiagonal();
}

}  // namespace detail

/// Frechet distance between two normal laws, squared as is the custom:
/// |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^{1/2}) (EQUATIONS M1). The last trace is the nuclear norm of F1^T F2 with
/// S = F F^T, which keeps the digits that a square root of small eigenvalues loses. Throws `error` when the sizes
/// differ.
inline double frechet_distance(const gaussian_moments& a, const gaussian_moments& b) {
  const auto d = a.mean.size();
  require(b.mean.size() == d && a.covariance.rows() == d && b.covariance.rows() == d, "the dimension of the second law",
          b.mean.size(), "that of the first");
  const double cross =
      detail::nuclear_norm(detail::factor_of(a.covariance).transpose() * detail::factor_of(b.covariance));
  return (a.mean - b.mean).squaredNorm() + a.covariance.trace() + b.covariance.trace() - 2.0 * cross;
}

/// Frechet distance between the normal laws fitted to two sets of samples, one sample a row. Where both sets have
/// fewer samples than features it never forms a covariance: tr (S1 S2)^{1/2} = |X1c X2c^T|_nuclear /
/// sqrt((n1 - 1)(n2 - 1)) (EQUATIONS M1). Small sets are biased upwards; compare only sets of the same sizes. Throws
/// `error` when a set has fewer than two samples or the features differ in number.
inline double frechet_distance(const row_matrix<double>& a, const row_matrix<double>& b) {
  require(a.cols() == b.cols(), "the number of features of the second set", b.cols(), "that of the first");
  require(a.rows() >= 2, "the number of samples of the first set", a.rows(), "at least 2");
  require(b.rows() >= 2, "the number of samples of the second set", b.rows(), "at least 2");
  if (std::max(a.rows(), b.rows()) > a.cols()) return frechet_distance(moments_of(a), moments_of(b));
  const Eigen::VectorXd mean_a = a.colwise().mean(), mean_b = b.colwise().mean();
  const row_matrix<double> centred_a = a.rowwise() - mean_a.transpose(), centred_b = b.rowwise() - mean_b.transpose();
  const auto less_a = static_cast<double>(a.rows() - 1), less_b = static_cast<double>(b.rows() - 1);
  const double cross = detail::nuclear_norm(centred_a * centred_b.transpose()) / std::sqrt(less_a * less_b);
  return (mean_a - mean_b).squaredNorm() + centred_a.squaredNorm() / less_a + centred_b.squaredNorm() / less_b -
         2.0 * cross;
}

/// Frechet distance between two sets of images, in the coordinates along the given modes (64 of the training images by
/// custom here). It is not an FID: those features come from a network.
inline double frechet_in_components(const principal_components& components, view<const float, host_space> a,
                                    view<const float, host_space> b) {
  return frechet_distance(project(components, a), project(components, b));
}

}  // namespace softscore
