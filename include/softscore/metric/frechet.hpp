#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>

#include <softscore/core/cmath.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/view.hpp>
#include <softscore/metric/pca.hpp>

namespace softscore {

/// A normal law by its first two moments.
template <std::floating_point Real>
struct basic_gaussian_moments {
  Eigen::VectorX<Real> mean;
  Eigen::MatrixX<Real> covariance;
};
using gaussian_moments = basic_gaussian_moments<double>;

/// Mean and covariance (divisor n - 1) of the rows of a matrix, at least two.
template <std::floating_point Real>
basic_gaussian_moments<Real> moments_of(const row_matrix<Real>& rows) {
  require(rows.rows() >= 2, "the number of samples", rows.rows(), "at least 2");
  basic_gaussian_moments<Real> result;
  result.mean = rows.colwise().mean();
  const row_matrix<Real> centred = rows.rowwise() - result.mean.transpose();
  result.covariance = centred.transpose() * centred / static_cast<Real>(rows.rows() - 1);
  return result;
}

namespace detail {

/// The sum of the singular values s of M. The symmetric matrix [0 M; M^T 0] has the eigenvalues s, -s and zeros, each
/// found to within the rounding of the largest, as a singular value decomposition would; Eigen's takes twenty seconds
/// to compile.
template <std::floating_point Real>
Real nuclear_norm(const Eigen::MatrixX<Real>& matrix) {
  const Eigen::Index rows = matrix.rows(), size = rows + matrix.cols();
  Eigen::MatrixX<Real> both = Eigen::MatrixX<Real>::Zero(size, size);
  both.bottomLeftCorner(matrix.cols(), rows) = matrix.transpose();  // the solver reads the lower triangle
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<Real>> solved{both, Eigen::EigenvaluesOnly};
  return Real{0.5} * solved.eigenvalues().cwiseAbs().sum();
}

/// F with F F^T the symmetric matrix. Eigenvalues within the rounding of the largest are 0: their square roots would
/// be noise of a far larger size.
template <std::floating_point Real>
Eigen::MatrixX<Real> factor_of(const Eigen::MatrixX<Real>& covariance) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<Real>> solved{covariance};
  const Real rounding = static_cast<Real>(covariance.rows()) * std::numeric_limits<Real>::epsilon() *
                        solved.eigenvalues().cwiseAbs().maxCoeff();
  const Eigen::VectorX<Real> roots =
      solved.eigenvalues().unaryExpr([&](Real value) { return value > rounding ? std::sqrt(value) : Real{0}; });
  return solved.eigenvectors() * roots.asDiagonal();
}

}  // namespace detail

/// Frechet distance between two normal laws, squared as is the custom:
/// |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^{1/2}) (EQUATIONS M1). The last trace is the nuclear norm of F1^T F2 with
/// S = F F^T, which keeps the digits that a square root of small eigenvalues loses. Throws `error` when the sizes
/// differ.
template <std::floating_point Real>
Real frechet_distance(const basic_gaussian_moments<Real>& a, const basic_gaussian_moments<Real>& b) {
  const auto d = a.mean.size();
  require(b.mean.size() == d && a.covariance.rows() == d && b.covariance.rows() == d, "the dimension of the second law",
          b.mean.size(), "that of the first");
  const Real cross =
      detail::nuclear_norm<Real>(detail::factor_of(a.covariance).transpose() * detail::factor_of(b.covariance));
  return (a.mean - b.mean).squaredNorm() + a.covariance.trace() + b.covariance.trace() - Real{2} * cross;
}

/// Frechet distance between the normal laws fitted to two sets of samples, one sample a row. Where both sets have
/// fewer samples than features it never forms a covariance: tr (S1 S2)^{1/2} = |X1c X2c^T|_nuclear /
/// sqrt((n1 - 1)(n2 - 1)) (EQUATIONS M1). Small sets are biased upwards; compare only sets of the same sizes. Throws
/// `error` when a set has fewer than two samples or the features differ in number.
template <std::floating_point Real>
Real frechet_distance(const row_matrix<Real>& a, const row_matrix<Real>& b) {
  require(a.cols() == b.cols(), "the number of features of the second set", b.cols(), "that of the first");
  require(a.rows() >= 2, "the number of samples of the first set", a.rows(), "at least 2");
  require(b.rows() >= 2, "the number of samples of the second set", b.rows(), "at least 2");
  if (std::max(a.rows(), b.rows()) > a.cols()) return frechet_distance(moments_of(a), moments_of(b));
  const Eigen::VectorX<Real> mean_a = a.colwise().mean(), mean_b = b.colwise().mean();
  const row_matrix<Real> centred_a = a.rowwise() - mean_a.transpose(), centred_b = b.rowwise() - mean_b.transpose();
  const auto less_a = static_cast<Real>(a.rows() - 1), less_b = static_cast<Real>(b.rows() - 1);
  const Real cross = detail::nuclear_norm<Real>(centred_a * centred_b.transpose()) / std::sqrt(less_a * less_b);
  return (mean_a - mean_b).squaredNorm() + centred_a.squaredNorm() / less_a + centred_b.squaredNorm() / less_b -
         Real{2} * cross;
}

/// Frechet distance between two sets of images, in the coordinates along the given modes (64 of the training images by
/// custom here). It is not an FID: those features come from a network.
template <class A, class B>
double frechet_in_components(const principal_components& components, view<A, host_space> a, view<B, host_space> b) {
  return frechet_distance(project(components, a), project(components, b));
}

}  // namespace softscore
