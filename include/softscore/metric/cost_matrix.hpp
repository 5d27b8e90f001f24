#pragma once

#include <cstddef>

#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>

namespace softscore {

/// The squared distances |x_i - y_j|^2 between the rows of two matrices, by one blocked matrix product (EQUATIONS M5).
/// Entries far below the squares they are the difference of lose digits that way and are computed again from the
/// differences themselves, so that close pairs keep their precision. Throws `error` unless both have rows, and equally
/// many columns.
template <class T>
row_matrix<T> squared_distances(const Eigen::Ref<const row_matrix<T>>& x, const Eigen::Ref<const row_matrix<T>>& y) {
  require(x.rows() >= 1 && y.rows() >= 1, "the number of points", x.rows() < y.rows() ? x.rows() : y.rows(),
          "at least 1");
  require(x.cols() == y.cols(), "the dimension of the second cloud", y.cols(), "that of the first");
  // A common shift changes no distance and makes the squares smaller.
  const Eigen::Matrix<T, 1, Eigen::Dynamic> middle = x.colwise().mean();
  const row_matrix<T> a = x.rowwise() - middle, b = y.rowwise() - middle;
  const Eigen::Matrix<T, Eigen::Dynamic, 1> of_a = a.rowwise().squaredNorm(), of_b = b.rowwise().squaredNorm();
  row_matrix<T> cost;
  cost.noalias() = T{-2} * a * b.transpose();
  constexpr T lost = T{0x1p-7};  // seven bits
  for (Eigen::Index i = 0; i < cost.rows(); ++i) {
    cost.row(i) += of_b.transpose();
    cost.row(i).array() += of_a[i];
    if ((cost.row(i).array() >= lost * (of_b.transpose().array() + of_a[i])).all()) continue;
    for (Eigen::Index j = 0; j < cost.cols(); ++j)
      if (cost(i, j) < lost * (of_a[i] + of_b[j])) cost(i, j) = (a.row(i) - b.row(j)).squaredNorm();
  }
  return cost;
}

}  // namespace softscore
