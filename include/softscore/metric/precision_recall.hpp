#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/metric/cost_matrix.hpp>
#include <softscore/metric/kernel_distance.hpp>

namespace softscore {  // shared

/// The shares of two sets that lie in each other's neighborhood.
struct precision_and_recall {
  double precision{};  ///< share of drawn samples that are like real ones
  double recall{};     ///< share of real samples that are near drawn ones
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Calls body(first row, squared distances of a block of rows of x from all of y).
template <class Real, class Body>
void each_distance_block(const row_matrix<Real>& x, const row_matrix<Real>& y, const Body& body) {
  constexpr Eigen::Index width = 512;
  for (Eigen::Index i = 0; i < x.rows(); i += width) {
    const row_matrix<Real> part = x.middleRows(i, (std::min)(width, x.rows() - i));
    body(i, squared_distances<Real>(part, y));
  }
}

// The squared distance of every row from its k-th nearest other one.
template <class Real>
std::vector<Real> squared_radii(const row_matrix<Real>& x, std::size_t k) {
  std::vector<Real> radii(static_cast<std::size_t>(x.rows()));
  each_distance_block(x, x, [&](Eigen::Index first, const row_matrix<Real>& squares) {
    std::vector<Real> row(static_cast<std::size_t>(squares.cols()));
    for (Eigen::Index i = 0; i < squares.rows(); ++i) {
      std::copy_n(squares.row(i).data(), row.size(), row.begin());
      row[static_cast<std::size_t>(first + i)] = Real{0};  // itself, the nearest of all
      const auto at = row.begin() + static_cast<std::ptrdiff_t>(k);
      std::nth_element(row.begin(), at, row.end());
      radii[static_cast<std::size_t>(first + i)] = *at;
    }
  });
  return radii;
}

// The share of rows of x that lie in the ball around some row of `centers`.
template <class Real>
double share_inside(const row_matrix<Real>& x, const row_matrix<Real>& centers, const std::vector<Real>& radii) {
  const Eigen::Map<const Eigen::Array<Real, 1, Eigen::Dynamic>> most{radii.data(), centers.rows()};
  std::size_t inside = 0;
  each_distance_block(x, centers, [&](Eigen::Index, const row_matrix<Real>& squares) {
    for (Eigen::Index i = 0; i < squares.rows(); ++i) inside += (squares.row(i).array() <= most).any() ? 1u : 0u;
  });
  return static_cast<double>(inside) / static_cast<double>(x.rows());
}

}  // namespace detail

/// Returns precision and recall of drawn samples (Kynkaanniemi et al. 2019, Eq. 1 and 2), one sample per row. Precision
/// is the share of `drawn` that lie in the balls around the real samples; the ball of a real sample reaches to its
/// `neighbors`-th nearest real one. Recall is the share of `real` in such balls around the drawn samples. Use sets of
/// equal size: with more samples the balls shrink. Throws `error` unless each set has more samples than neighbors, the
/// numbers of features agree, and all are finite.
template <std::floating_point Real>
precision_and_recall precision_recall(const row_matrix<Real>& real, const row_matrix<Real>& drawn,
                                      std::size_t neighbors = 3) {
  require(neighbors >= 1, "neighbors", neighbors, "at least 1");
  require(neighbors <= std::size_t{1} << 40, "neighbors", neighbors, "at most 2^40");
  detail::check_clouds(real, drawn, eigen_index(neighbors + 1));
  return {detail::share_inside(drawn, real, detail::squared_radii(real, neighbors)),
          detail::share_inside(real, drawn, detail::squared_radii(drawn, neighbors))};
}

}  // namespace softscore::inline SOFTSCORE_ABI
