#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/metric/finite.hpp>
#include <softscore/metric/mean_and_deviation.hpp>
#include <softscore/metric/random_subset.hpp>

namespace softscore {  // shared

/// The random subsets that a kernel distance is averaged over.
struct kernel_subsets {
  std::size_t count{100};
  std::size_t size{1000};  ///< at most; all samples of the smaller set if there are fewer
  std::uint64_t seed{0};
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// The sum of (x . y / d + 1)^3 over blocks of 256 rows; `from(i)` is the first row of y for the rows from i on.
template <class Real, class Begin, class Weigh>
double cubic_kernel_sum(const row_matrix<Real>& x, const row_matrix<Real>& y, const Begin& from, const Weigh& weigh) {
  constexpr Eigen::Index width = 256;
  const Real scale = Real{1} / static_cast<Real>(x.cols());
  double sum = 0.0;
  for (Eigen::Index i = 0; i < x.rows(); i += width) {
    const Eigen::Index rows = (std::min)(width, x.rows() - i);
    for (Eigen::Index j = from(i); j < y.rows(); j += width) {
      const Eigen::Index columns = (std::min)(width, y.rows() - j);
      const row_matrix<Real> k = x.middleRows(i, rows) * y.middleRows(j, columns).transpose() * scale;
      sum += weigh(i, j) * static_cast<double>((k.array() + Real{1}).cube().sum());
    }
  }
  return sum;
}
// Over all pairs of a row of x and one of y.
template <class Real>
double kernel_sum_across(const row_matrix<Real>& x, const row_matrix<Real>& y) {
  return cubic_kernel_sum(
      x, y, [](Eigen::Index) { return Eigen::Index{0}; }, [](Eigen::Index, Eigen::Index) { return 1.0; });
}
// Over all pairs of different rows of x; blocks off the diagonal count twice.
template <class Real>
double kernel_sum_within(const row_matrix<Real>& x) {
  const Real scale = Real{1} / static_cast<Real>(x.cols());
  const auto with_itself = static_cast<double>((x.rowwise().squaredNorm().array() * scale + Real{1}).cube().sum());
  return cubic_kernel_sum(
             x, x, [](Eigen::Index i) { return i; },
             [](Eigen::Index i, Eigen::Index j) { return i == j ? 1.0 : 2.0; }) -
         with_itself;
}

template <class Real>
void check_clouds(const row_matrix<Real>& a, const row_matrix<Real>& b, Eigen::Index least) {
  require(a.cols() >= 1, "the number of features of the first set", a.cols(), "at least 1");
  require(a.cols() == b.cols(), "the number of features of the second set", b.cols(), "that of the first");
  require(a.rows() >= least, "the number of samples of the first set", a.rows(), "at least " + shown(least));
  require(b.rows() >= least, "the number of samples of the second set", b.rows(), "at least " + shown(least));
  require_finite_rows(a, "sample", "the first set");
  require_finite_rows(b, "sample", "the second set");
}

}  // namespace detail

/// Returns the kernel distance of two sets of features, one sample per row: the unbiased estimate of the squared
/// maximum mean discrepancy under the kernel (x . y / d + 1)^3 (Binkowski et al. 2018, Section 4). Its mean does not
/// depend on the numbers of samples, and is 0 for two sets of one distribution, so the estimate may be negative. Throws
/// `error` if a set has fewer than two samples, if the numbers of features differ, or if a sample or the distance is
/// not finite.
template <std::floating_point Real>
double kernel_distance(const row_matrix<Real>& a, const row_matrix<Real>& b) {
  detail::check_clouds(a, b, 2);
  const auto n = static_cast<double>(a.rows()), m = static_cast<double>(b.rows());
  const double within_a = detail::kernel_sum_within(a) / (n * (n - 1.0)),
               within_b = detail::kernel_sum_within(b) / (m * (m - 1.0)),
               across = detail::kernel_sum_across(a, b) / (n * m);
  return detail::finite_result("the kernel distance", within_a + within_b - 2.0 * across);
}

/// The same over random subsets of both sets, as KID is reported (Binkowski et al. 2018, Section 4). The subsets
/// overlap, so the deviation is that of one subset, not of the mean.
template <std::floating_point Real>
mean_and_deviation kernel_distance(const row_matrix<Real>& a, const row_matrix<Real>& b,
                                   const kernel_subsets& subsets) {
  require(subsets.count >= 1, "the number of subsets", subsets.count, "at least 1");
  require(subsets.size >= 2, "the size of a subset", subsets.size, "at least 2");
  detail::check_clouds(a, b, 2);
  const std::size_t size = (std::min)(subsets.size, static_cast<std::size_t>((std::min)(a.rows(), b.rows())));
  std::vector<double> distances;
  for (std::size_t k = 0; k < subsets.count; ++k)
    distances.push_back(kernel_distance(detail::random_rows(a, size, subsets.seed, 2 * k),
                                        detail::random_rows(b, size, subsets.seed, 2 * k + 1)));
  return detail::summary_of(distances);
}

}  // namespace softscore::inline SOFTSCORE_ABI
