#pragma once

#include <concepts>
#include <cstddef>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/metric/finite.hpp>
#include <softscore/metric/mean_and_deviation.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Returns the inception score (Salimans et al. 2016, Section 4) from a classifier's probabilities, N x K, one image
/// per row: exp of the mean of KL(p(k given x), p(k)), where p(k) is the mean of the rows. It is computed for each of
/// `splits` runs of rows of about equal length, and is between 1 and K. Rows must be in random order, unless there is
/// one split. The score does not take the data into account: compare it with that of test images. Throws `error` for
/// fewer rows than splits, and unless each row holds probabilities that sum to 1 within 1e-4.
template <std::floating_point Real>
mean_and_deviation inception_score(const row_matrix<Real>& probabilities, std::size_t splits = 10) {
  const auto rows = static_cast<std::size_t>(probabilities.rows());
  require(splits >= 1, "splits", splits, "at least 1");
  require(probabilities.cols() >= 1, "the number of classes", probabilities.cols(), "at least 1");
  require(rows >= splits, "the number of images", rows, "at least that of the splits, " + detail::shown(splits));
  detail::require_finite_rows(probabilities, "image", "the probabilities");
  for (Eigen::Index i = 0; i < probabilities.rows(); ++i) {
    const auto sum = static_cast<double>(probabilities.row(i).sum());
    require(probabilities.row(i).minCoeff() >= Real{0} && std::abs(sum - 1.0) <= 1e-4,
            "the sum of the probabilities of image " + detail::shown(i), sum, "1, of numbers that are not negative");
  }
  std::vector<double> scores;
  for (std::size_t part = 0; part < splits; ++part) {
    const std::size_t first = part * rows / splits, end = (part + 1) * rows / splits;
    const auto of_part = probabilities.middleRows(eigen_index(first), eigen_index(end - first));
    const Eigen::RowVectorXd of_all = of_part.template cast<double>().colwise().mean();
    double sum = 0.0;
    for (Eigen::Index i = 0; i < of_part.rows(); ++i)
      for (Eigen::Index k = 0; k < of_part.cols(); ++k) {
        const auto p = static_cast<double>(of_part(i, k));
        if (p > 0.0) sum += p * std::log(p / of_all[k]);
      }
    scores.push_back(std::exp(sum / static_cast<double>(end - first)));
  }
  return detail::summary_of(scores);
}

}  // namespace softscore::inline SOFTSCORE_ABI
