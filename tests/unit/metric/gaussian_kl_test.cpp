#include <softscore/metric/gaussian_kl.hpp>

#include "catch.hpp"

#include <cmath>

#include "printed.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {
gaussian_moments law(double mean, double variance) {
  return {Eigen::VectorXd::Constant(1, mean), Eigen::MatrixXd::Constant(1, 1, variance)};
}
}  // namespace

TEST_CASE("the divergence of normal laws has the reference value", "[metric]") {
  const double found = gaussian_kl(law(0, 0.5), law(0, 1));
  CHECK_THAT(found, as_printed("0.0965735902800"));
  CHECK_THAT(found, WithinAbs((0.5 - 1 + std::log(2.0)) / 2, 1e-15));
  // The sign of the logarithm that Kim and Lee 2024 print makes a divergence below 0; their sigma, read as a deviation,
  // makes another.
  CHECK(std::abs(found - (0.5 - 1 - std::log(2.0)) / 2) > 0.5);
  CHECK(std::abs(found - (0.25 - 1 + std::log(4.0)) / 2) > 0.1);
  CHECK_THAT(gaussian_kl(law(1, 2), law(3, 2)), WithinAbs(1.0, 1e-15));
  CHECK(gaussian_kl(law(1, 2), law(1, 2)) == 0.0);
}

TEST_CASE("the divergence does not change with the coordinates", "[metric]") {
  Eigen::MatrixXd root(3, 3), map(3, 3);
  root << 1, 0.2, -0.3, 0, 0.7, 0.4, 0, 0, 1.3;
  map << 0.3, 1, 0, -1, 0.4, 0.2, 0.5, 0, 2;
  const gaussian_moments a{Eigen::VectorXd::LinSpaced(3, -1, 1), root * root.transpose()};
  const gaussian_moments b{Eigen::VectorXd::Zero(3), Eigen::MatrixXd::Identity(3, 3)};
  const gaussian_moments mapped_a{map * a.mean, map * a.covariance * map.transpose()};
  const gaussian_moments mapped_b{map * b.mean, map * b.covariance * map.transpose()};
  // Against the standard law: (tr A - 3 + |a|^2 - ln |A|) / 2, and the same after an invertible map of both.
  const double wanted = 0.5 * (a.covariance.trace() - 3 + 2 - 2 * std::log(0.7 * 1.3));
  CHECK_THAT(gaussian_kl(a, b), WithinAbs(wanted, 1e-14));
  CHECK_THAT(gaussian_kl(mapped_a, mapped_b), WithinAbs(wanted, 1e-13));
  CHECK_REFUSED(gaussian_kl(a, law(0, 1)), "the dimension of the second law is 1, but it must be that of the first");
}
