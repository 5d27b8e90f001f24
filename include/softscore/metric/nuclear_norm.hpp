#pragma once

#include <algorithm>
#include <concepts>

#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The reflections that turn a matrix into its upper triangle R, as one: Q = I - V T V^T, where Q R is the matrix. In
// this form another matrix is reflected by matrix products.
template <std::floating_point Real>
class block_reflection {
 public:
  explicit block_reflection(const Eigen::MatrixX<Real>& of) : triangle_{of} {
    const Eigen::Index count = (std::min)(of.rows(), of.cols());
    vectors_.setZero(of.rows(), count);
    factor_.setZero(count, count);
    Eigen::VectorX<Real> work(of.cols());
    for (Eigen::Index k = 0; k < count; ++k) {
      const Eigen::Index below = of.rows() - k - 1;
      Real scale, kept;
      auto vector = vectors_.col(k);
      auto essential = vector.tail(below);
      triangle_.col(k).tail(below + 1).makeHouseholder(essential, scale, kept);
      triangle_.bottomRightCorner(below + 1, of.cols() - k).applyHouseholderOnTheLeft(essential, scale, work.data());
      vector[k] = 1;
      factor_(k, k) = scale;
      factor_.col(k).head(k).noalias() =
          factor_.topLeftCorner(k, k) * (vectors_.leftCols(k).transpose() * (-scale * vector)).eval();
    }
    triangle_ = triangle_.topRows(count).template triangularView<Eigen::Upper>().toDenseMatrix();
  }

  const Eigen::MatrixX<Real>& triangle() const { return triangle_; }
  // Q^T times the matrix, and the matrix times Q, in place.
  void on_the_left(Eigen::Ref<Eigen::MatrixX<Real>> matrix) const {
    const Eigen::MatrixX<Real> along = factor_.transpose() * (vectors_.transpose() * matrix).eval();
    matrix.noalias() -= vectors_ * along;
  }
  void on_the_right(Eigen::Ref<Eigen::MatrixX<Real>> matrix) const {
    const Eigen::MatrixX<Real> along = (matrix * vectors_).eval() * factor_;
    matrix.noalias() -= along * vectors_.transpose();
  }

 private:
  Eigen::MatrixX<Real> triangle_, vectors_, factor_;
};

// Reflections from both sides that leave an upper triangle with `width` diagonals above the main one, for a matrix with
// at least as many rows as columns.
template <std::floating_point Real>
void reduce_to_band(Eigen::MatrixX<Real>& matrix, Eigen::Index width) {
  const Eigen::Index rows = matrix.rows(), columns = matrix.cols();
  for (Eigen::Index k = 0; k < columns; k += width) {
    const Eigen::Index count = (std::min)(width, columns - k), next = k + count, beside = columns - next;
    const block_reflection<Real> left{matrix.block(k, k, rows - k, count)};
    matrix.block(k, k, rows - k, count).setZero();
    matrix.block(k, k, count, count) = left.triangle();
    if (beside == 0) return;
    left.on_the_left(matrix.block(k, next, rows - k, beside));
    const block_reflection<Real> right{matrix.block(k, next, count, beside).transpose()};
    matrix.block(k, next, count, beside).setZero();
    matrix.block(k, next, count, right.triangle().rows()) = right.triangle().transpose();
    right.on_the_right(matrix.block(next, next, rows - next, beside));
  }
}

// Reduces such a band to two diagonals: row by row, what a reflection adds below or beyond the band is chased down and
// out (Lang: "Parallel reduction of banded matrices to bidiagonal form"). Elements off the two diagonals are left with
// arbitrary values.
template <std::floating_point Real>
void reduce_to_bidiagonal(Eigen::MatrixX<Real>& matrix, Eigen::Index width) {
  const Eigen::Index n = matrix.cols();
  Eigen::VectorX<Real> vector(width), work(2 * width + 1);
  Real scale, kept;
  for (Eigen::Index i = 0; i + 1 < n; ++i) {
    for (Eigen::Index row = i, first = i + 1; first < n; row = first, first += width) {
      const Eigen::Index count = (std::min)(width, n - first);
      auto essential = vector.head(count - 1);
      matrix.row(row).segment(first, count).makeHouseholder(essential, scale, kept);
      matrix.block(row, first, first + count - row, count).applyHouseholderOnTheRight(essential, scale, work.data());
      matrix.col(first).segment(first, count).makeHouseholder(essential, scale, kept);
      matrix.block(first, first, count, (std::min)(n - first, count + width))
          .applyHouseholderOnTheLeft(essential, scale, work.data());
    }
  }
}

/// Returns the sum of the singular values s of M (own derivation: the trace term of the Frechet distance), each
/// accurate to the rounding of the largest. M is reflected to a band by matrix products, and then to two diagonals d,
/// e. The symmetric matrix with d1, e1, d2, e2, ... beside a diagonal of zeros has the eigenvalues s and -s. Eigen's
/// singular value decomposition takes twenty seconds to compile.
template <std::floating_point Real>
Real nuclear_norm(Eigen::MatrixX<Real> matrix) {
  if (matrix.rows() < matrix.cols()) matrix = matrix.transpose().eval();
  const Eigen::Index n = matrix.cols();
  if (n == 0) return 0;
  const Eigen::Index width = n < 512 ? 8 : 32;
  reduce_to_band(matrix, width);
  reduce_to_bidiagonal(matrix, width);
  Eigen::VectorX<Real> beside(2 * n - 1);
  for (Eigen::Index i = 0; i < n; ++i) {
    beside[2 * i] = matrix(i, i);
    if (i + 1 < n) beside[2 * i + 1] = matrix(i, i + 1);
  }
  // The solver uses absolute sizes to decide what is negligible, so it receives a matrix whose largest entry is 1.
  const Real largest = beside.cwiseAbs().maxCoeff();
  if (largest == 0 || !beside.allFinite()) return beside.sum();
  beside /= largest;
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<Real>> solver;
  solver.computeFromTridiagonal(Eigen::VectorX<Real>::Zero(2 * n), beside, Eigen::EigenvaluesOnly);
  return Real{0.5} * largest * solver.eigenvalues().cwiseAbs().sum();
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
