#pragma once

#include <concepts>

#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/metric/frechet.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The Kullback-Leibler divergence of the normal law `a` from `b`, in nats (textbook): [tr(B^-1 A) - d + (a - b)^T B^-1
/// (a - b) + ln(|B| / |A|)] / 2. Both covariances have eigenvalues above 0. Throws `error` when the sizes differ.
template <std::floating_point Real>
Real gaussian_kl(const basic_gaussian_moments<Real>& a, const basic_gaussian_moments<Real>& b) {
  const auto d = a.mean.size();
  require(b.mean.size() == d && a.covariance.rows() == d && b.covariance.rows() == d, "the dimension of the second law",
          b.mean.size(), "that of the first");
  const Eigen::LDLT<Eigen::MatrixX<Real>> of_a{a.covariance}, of_b{b.covariance};
  const Eigen::VectorX<Real> between = a.mean - b.mean;
  const Real logs = (of_b.vectorD().array() / of_a.vectorD().array()).log().sum();
  return Real{0.5} *
         (of_b.solve(a.covariance).trace() - static_cast<Real>(d) + between.dot(of_b.solve(between)) + logs);
}

}  // namespace softscore::inline SOFTSCORE_ABI
