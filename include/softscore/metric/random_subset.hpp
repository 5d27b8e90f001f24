#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/data/loader.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

/// Returns `count` different rows of a matrix, chosen at random: a function of the seed and the number of the draw
/// alone.
template <class Real>
row_matrix<Real> random_rows(const row_matrix<Real>& from, std::size_t count, std::uint64_t seed, std::size_t draw) {
  const auto rows = static_cast<std::size_t>(from.rows());
  shuffling_loader order{rows, rows, seed};
  const auto numbers = order.indices(draw);
  auto chosen = matrix_of<row_matrix<Real>>("a random subset", eigen_index(count), from.cols());
  for (std::size_t i = 0; i < count; ++i) chosen.row(eigen_index(i)) = from.row(Eigen::Index{numbers[i]});
  return chosen;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
