#pragma once

#include <concepts>
#include <limits>
#include <string>

#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/metric/frechet.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// A pivot is the remaining variance of an axis when those before it are known. In a singular matrix, rounding leaves it
// anywhere within d eps of the axis's own variance.
template <std::floating_point Real>
void require_regular(const Eigen::LDLT<Eigen::MatrixX<Real>>& factors, const Eigen::MatrixX<Real>& covariance,
                     const std::string& name) {
  const Eigen::VectorX<Real> own = factors.transpositionsP() * covariance.diagonal().eval(), left = factors.vectorD();
  const Real rounding = static_cast<Real>(left.size()) * std::numeric_limits<Real>::epsilon();
  for (Eigen::Index k = 0; k < left.size(); ++k)
    if (!(left[k] > rounding * own[k]))
      reject("the covariance of " + name,
             "singular (of a variance of " + shown(own[k]) + " no more than " + shown(left[k]) +
                 " is independent of the others)",
             "of full rank, or the divergence has no density to compare");
}
}  // namespace detail

/// Returns the Kullback-Leibler divergence of the normal distribution `a` from `b`, in nats (textbook): [tr(B^-1 A) - d
/// + (a - b)^T B^-1 (a - b) + ln(|B| / |A|)] / 2. Throws `error` if the sizes differ; if a covariance is singular to
/// the rounding of its type, because the divergence is then infinite or has no formula; and if a number is not finite.
template <std::floating_point Real>
Real gaussian_kl(const basic_gaussian_moments<Real>& a, const basic_gaussian_moments<Real>& b) {
  detail::check_laws(a, b);
  const auto d = a.mean.size();
  const Eigen::LDLT<Eigen::MatrixX<Real>> of_a{a.covariance}, of_b{b.covariance};
  detail::require_regular<Real>(of_a, a.covariance, "the first distribution");
  detail::require_regular<Real>(of_b, b.covariance, "the second distribution");
  const Eigen::VectorX<Real> between = a.mean - b.mean;
  const Real logs = (of_b.vectorD().array() / of_a.vectorD().array()).log().sum();
  return detail::finite_result(
      "the Kullback-Leibler divergence",
      Real{0.5} * (of_b.solve(a.covariance).trace() - static_cast<Real>(d) + between.dot(of_b.solve(between)) + logs));
}

}  // namespace softscore::inline SOFTSCORE_ABI
