#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/view.hpp>
#include <softscore/data/pca.hpp>
#include <softscore/metric/finite.hpp>
#include <softscore/metric/nuclear_norm.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A normal distribution by its first two moments.
template <std::floating_point Real>
struct basic_gaussian_moments {
  Eigen::VectorX<Real> mean;
  Eigen::MatrixX<Real> covariance;
};
using gaussian_moments = basic_gaussian_moments<double>;

/// Returns mean and covariance (divisor n - 1) of the rows of a matrix, which has at least two.
template <std::floating_point Real>
basic_gaussian_moments<Real> moments_of(const row_matrix<Real>& rows) {
  require(rows.rows() >= 2, "the number of samples", rows.rows(), "at least 2");
  basic_gaussian_moments<Real> result;
  result.mean = rows.colwise().mean();
  const row_matrix<Real> centered = rows.rowwise() - result.mean.transpose();
  result.covariance = centered.transpose() * centered / static_cast<Real>(rows.rows() - 1);
  return result;
}

namespace detail {

/// Returns F such that F F^T is the symmetric matrix, by Cholesky's steps with the largest remaining diagonal entry as
/// the next pivot; rows keep their positions. It ends when all that remains is within the rounding of the largest
/// entry: square roots of it would be noise of a much larger size.
template <std::floating_point Real>
Eigen::MatrixX<Real> factor_of(const Eigen::MatrixX<Real>& covariance) {
  constexpr Eigen::Index width = 64;  // columns that are subtracted from the rest in one product
  const Eigen::Index n = covariance.rows();
  Eigen::MatrixX<Real> rest = covariance, factor(n, n);  // of the rest, only the lower triangle
  Eigen::VectorX<Real> left = covariance.diagonal();
  const Real rounding = static_cast<Real>(n) * std::numeric_limits<Real>::epsilon() * left.maxCoeff();
  std::vector<Eigen::Index> pivots;
  for (Eigen::Index k = 0, from = 0; k < n; ++k) {
    if (k == from + width) {
      rest.template selfadjointView<Eigen::Lower>().rankUpdate(factor.middleCols(from, width), Real{-1});
      from = k;
    }
    Eigen::Index pivot = 0;
    const Real most = left.maxCoeff(&pivot);
    if (!(most > rounding)) return factor.leftCols(k);
    auto column = factor.col(k);
    column.head(pivot) = rest.row(pivot).head(pivot).transpose();
    column.tail(n - pivot) = rest.col(pivot).tail(n - pivot);
    column.noalias() -= factor.middleCols(from, k - from) * factor.row(pivot).segment(from, k - from).transpose();
    column /= std::sqrt(most);
    column[pivot] = std::sqrt(most);
    for (const Eigen::Index done : pivots) column[done] = 0;
    left -= column.cwiseAbs2();
    left[pivot] = 0;
    pivots.push_back(pivot);
  }
  return factor;
}

template <std::floating_point Real>
void check_law(const basic_gaussian_moments<Real>& distribution, const std::string& name) {
  const auto d = distribution.mean.size();
  require(distribution.covariance.rows() == d, "the number of rows of the covariance of " + name,
          distribution.covariance.rows(), "that of its mean's elements");
  require(distribution.covariance.cols() == d, "the number of columns of the covariance of " + name,
          distribution.covariance.cols(), "that of its mean's elements");
  require_finite_rows(distribution.mean, "row", "the mean of " + name);
  require_finite_rows(distribution.covariance, "row", "the covariance of " + name);
}
template <std::floating_point Real>
void check_laws(const basic_gaussian_moments<Real>& a, const basic_gaussian_moments<Real>& b) {
  require(b.mean.size() == a.mean.size(), "the dimension of the second distribution", b.mean.size(),
          "that of the first");
  check_law(a, "the first distribution");
  check_law(b, "the second distribution");
}

}  // namespace detail

/// Returns the Frechet distance between two normal distributions, squared as is usual: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1
/// S2)^{1/2}) (Heusel et al. 2017). The last trace is the nuclear norm of F1^T F2 with S = F F^T, which keeps the
/// digits that a square root of small eigenvalues loses. Throws `error` if the sizes differ, and if the distributions
/// or the distance are not finite.
template <std::floating_point Real>
Real frechet_distance(const basic_gaussian_moments<Real>& a, const basic_gaussian_moments<Real>& b) {
  detail::check_laws(a, b);
  const Real cross =
      detail::nuclear_norm<Real>(detail::factor_of(a.covariance).transpose() * detail::factor_of(b.covariance));
  return detail::finite_result("the Frechet distance", (a.mean - b.mean).squaredNorm() + a.covariance.trace() +
                                                           b.covariance.trace() - Real{2} * cross);
}

/// Returns the Frechet distance between the normal distributions fitted to two sets of samples, one sample per row. If
/// both sets have fewer samples than features it never forms a covariance: tr (S1 S2)^{1/2} = |X1c X2c^T|_nuclear /
/// sqrt((n1 - 1)(n2 - 1)) (own derivation). Small sets are biased upwards; compare only sets of the same sizes. Throws
/// `error` if a set has fewer than two samples, if the numbers of features differ, or if a sample or the distance is
/// not finite.
template <std::floating_point Real>
Real frechet_distance(const row_matrix<Real>& a, const row_matrix<Real>& b) {
  require(a.cols() == b.cols(), "the number of features of the second set", b.cols(), "that of the first");
  require(a.rows() >= 2, "the number of samples of the first set", a.rows(), "at least 2");
  require(b.rows() >= 2, "the number of samples of the second set", b.rows(), "at least 2");
  detail::require_finite_rows(a, "sample", "the first set");
  detail::require_finite_rows(b, "sample", "the second set");
  if ((std::max)(a.rows(), b.rows()) > a.cols()) return frechet_distance(moments_of(a), moments_of(b));
  const Eigen::VectorX<Real> mean_a = a.colwise().mean(), mean_b = b.colwise().mean();
  const row_matrix<Real> centered_a = a.rowwise() - mean_a.transpose(), centered_b = b.rowwise() - mean_b.transpose();
  const auto less_a = static_cast<Real>(a.rows() - 1), less_b = static_cast<Real>(b.rows() - 1);
  const Real cross = detail::nuclear_norm<Real>(centered_a * centered_b.transpose()) / std::sqrt(less_a * less_b);
  return detail::finite_result("the Frechet distance", (mean_a - mean_b).squaredNorm() +
                                                           centered_a.squaredNorm() / less_a +
                                                           centered_b.squaredNorm() / less_b - Real{2} * cross);
}

/// Returns the Frechet distance between two sets of images, in the coordinates along the given modes (by convention
/// here, 64 modes of the training images). It is not an FID, whose features come from a network.
template <class A, class B>
double frechet_in_components(const principal_components& components, view<A, host_space> a, view<B, host_space> b) {
  return frechet_distance(project(components, a), project(components, b));
}

}  // namespace softscore::inline SOFTSCORE_ABI
