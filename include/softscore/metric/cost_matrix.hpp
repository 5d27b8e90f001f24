#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/concept.hpp>
#include <softscore/backend/run_tasks.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/metric/finite.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// What a metric without a backend runs on: the caller's thread.
struct one_thread {
  template <class Body>
  void parallel(std::size_t count, const Body& body) const {
    run_tasks(body, 0, count);
  }
};

// Calls body(block, first, count) for runs of `length` rows, the last one shorter.
template <class Threads, class Body>
void each_block(Threads& threads, Eigen::Index rows, Eigen::Index length, const Body& body) {
  threads.parallel(static_cast<std::size_t>((rows + length - 1) / length), [&](std::size_t block) {
    const Eigen::Index first = eigen_index(block) * length;
    body(eigen_index(block), first, (std::min)(length, rows - first));
  });
}

template <class T, class Threads>
row_matrix<T> squared_distances_on(Threads& threads, const Eigen::Ref<const row_matrix<T>>& x,
                                   const Eigen::Ref<const row_matrix<T>>& y) {
  require(x.rows() >= 1, "the number of points of the first cloud", x.rows(), "at least 1");
  require(y.rows() >= 1, "the number of points of the second cloud", y.rows(), "at least 1");
  require(x.cols() == y.cols(), "the dimension of the second cloud", y.cols(), "that of the first");
  // A common shift changes no distance and reduces the squares.
  const Eigen::Matrix<T, 1, Eigen::Dynamic> middle = x.colwise().mean();
  const row_matrix<T> b = y.rowwise() - middle;
  const Eigen::Matrix<T, Eigen::Dynamic, 1> of_b = b.rowwise().squaredNorm();
  // If these squares are finite, so is every distance: |a - b|^2 <= 2 (|a|^2 + |b|^2).
  const T most = of_b.maxCoeff();
  const auto refuse = [&] {
    require_finite_rows(x, "point", "the first cloud");
    require_finite_rows(y, "point", "the second cloud");
    reject("the largest squared distance between the clouds", "too large", "finite in their type of number");
  };
  if (!of_b.allFinite()) refuse();
  constexpr T lost = T{0x1p-7};  // seven bits
  auto cost = matrix_of<row_matrix<T>>("a matrix of costs", x.rows(), y.rows());
  // Every block packs the second cloud again: with 256 rows the matrix took a sixth longer.
  each_block(threads, x.rows(), 512, [&](Eigen::Index, Eigen::Index first, Eigen::Index count) {
    const row_matrix<T> a = x.middleRows(first, count).rowwise() - middle;
    auto block = cost.middleRows(first, count);
    block.noalias() = T{-2} * a * b.transpose();
    for (Eigen::Index i = 0; i < count; ++i) {
      const T of_a = a.row(i).squaredNorm();
      if (!std::isfinite(T{2} * (of_a + most))) refuse();
      auto row = block.row(i).array();
      row += of_b.transpose().array() + of_a;
      if ((row >= lost * (of_b.transpose().array() + of_a)).all()) continue;
      for (Eigen::Index j = 0; j < row.size(); ++j)
        if (row[j] < lost * (of_a + of_b[j])) row[j] = (a.row(i) - b.row(j)).squaredNorm();
    }
  });
  return cost;
}

}  // namespace detail

/// Returns the squared distances |x_i - y_j|^2 between the rows of two matrices, by one blocked matrix product
/// (textbook). Entries much smaller than the squares whose difference they are lose digits that way. They are computed
/// again from the differences themselves, so that close pairs keep their precision. Throws `error` unless both matrices
/// have rows and the same number of columns, and are finite, as are the distances in T.
template <class T>
row_matrix<T> squared_distances(const Eigen::Ref<const row_matrix<T>>& x, const Eigen::Ref<const row_matrix<T>>& y) {
  detail::one_thread here;
  return detail::squared_distances_on<T>(here, x, y);
}

/// The same on the backend's threads, in blocks of rows.
template <class T, HostBackend Be>
row_matrix<T> squared_distances(Be& be, const Eigen::Ref<const row_matrix<T>>& x,
                                const Eigen::Ref<const row_matrix<T>>& y) {
  return detail::squared_distances_on<T>(be, x, y);
}

}  // namespace softscore::inline SOFTSCORE_ABI
