#include <softscore/metric/gaussian_kl.hpp>

#include "catch.hpp"

#include <cmath>
#include <limits>

#include "printed.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {
gaussian_moments distribution(double mean, double variance) {
  return {Eigen::VectorXd::Constant(1, mean), Eigen::MatrixXd::Constant(1, 1, variance)};
}
}  // namespace

TEST_CASE("the divergence of normal distributions has the reference value", "[metric]") {
  const double found = gaussian_kl(distribution(0, 0.5), distribution(0, 1));
  CHECK_THAT(found, as_printed("0.0965735902800"));
  CHECK_THAT(found, WithinAbs((0.5 - 1 + std::log(2.0)) / 2, 1e-15));
  // The sign of the logarithm that Kim and Lee 2024 print makes a divergence below 0; their sigma, read as a deviation,
  // makes another.
  CHECK(std::abs(found - (0.5 - 1 - std::log(2.0)) / 2) > 0.5);
  CHECK(std::abs(found - (0.25 - 1 + std::log(4.0)) / 2) > 0.1);
  CHECK_THAT(gaussian_kl(distribution(1, 2), distribution(3, 2)), WithinAbs(1.0, 1e-15));
  CHECK(gaussian_kl(distribution(1, 2), distribution(1, 2)) == 0.0);
}

TEST_CASE("the divergence does not change with the coordinates", "[metric]") {
  Eigen::MatrixXd root(3, 3), map(3, 3);
  root << 1, 0.2, -0.3, 0, 0.7, 0.4, 0, 0, 1.3;
  map << 0.3, 1, 0, -1, 0.4, 0.2, 0.5, 0, 2;
  const gaussian_moments a{Eigen::VectorXd::LinSpaced(3, -1, 1), root * root.transpose()};
  const gaussian_moments b{Eigen::VectorXd::Zero(3), Eigen::MatrixXd::Identity(3, 3)};
  const gaussian_moments mapped_a{map * a.mean, map * a.covariance * map.transpose()};
  const gaussian_moments mapped_b{map * b.mean, map * b.covariance * map.transpose()};
  // Against the standard distribution: (tr A - 3 + |a|^2 - ln |A|) / 2, and the same after an invertible map of both.
  const double wanted = 0.5 * (a.covariance.trace() - 3 + 2 - 2 * std::log(0.7 * 1.3));
  CHECK_THAT(gaussian_kl(a, b), WithinAbs(wanted, 1e-14));
  CHECK_THAT(gaussian_kl(mapped_a, mapped_b), WithinAbs(wanted, 1e-13));
  CHECK_REFUSED(gaussian_kl(a, distribution(0, 1)),
                "the dimension of the second distribution is 1, but it must be that of the first");
}

TEST_CASE("distributions without a density, and numbers that are not finite, have no divergence", "[metric]") {
  const gaussian_moments regular{Eigen::VectorXd::Zero(3), Eigen::MatrixXd::Identity(3, 3)};
  const auto with = [&](const Eigen::MatrixXd& covariance) { return gaussian_moments{regular.mean, covariance}; };
  const gaussian_moments none = with(Eigen::MatrixXd::Zero(3, 3)), flat = with(Eigen::MatrixXd::Ones(3, 3));
  CHECK_REFUSED(
      gaussian_kl(regular, none),
      "the covariance of the second distribution is singular (of a variance of 0 no more than 0 is independent of the "
      "others), but it must be of full rank");
  CHECK_REFUSED(gaussian_kl(regular, flat),
                "the covariance of the second distribution is singular (of a variance of 1 no more");
  CHECK_REFUSED(gaussian_kl(flat, regular), "the covariance of the first distribution is singular");
  CHECK_REFUSED(gaussian_kl(regular, with(-Eigen::MatrixXd::Identity(3, 3))),
                "the covariance of the second distribution is");
  // Two samples span one axis; what rounding leaves of the others is no variance.
  Eigen::MatrixXd root(3, 1);
  root << 0.1, 0.7, -1.3;
  CHECK_REFUSED(gaussian_kl(regular, with(root * root.transpose())),
                "the covariance of the second distribution is singular");
  // Units are no matter: axes of 1e-9 and 1e9 are as regular as equal ones. ln(|B|) / 2 and the traces, to rounding.
  Eigen::MatrixXd wide = Eigen::MatrixXd::Zero(3, 3);
  wide.diagonal() << 1e-18, 1.0, 1e18;
  CHECK_THAT(gaussian_kl(with(wide), with(2.0 * wide)), WithinAbs(0.5 * (1.5 - 3 + 3 * std::log(2.0)), 1e-14));

  gaussian_moments broken = regular;
  broken.mean[1] = std::numeric_limits<double>::infinity();
  CHECK_REFUSED(gaussian_kl(broken, regular), "element 0 of row 1 of the mean of the first distribution is inf");
  broken = regular;
  broken.covariance(2, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_REFUSED(gaussian_kl(regular, broken), "element 0 of row 2 of the covariance of the second distribution is nan");
  CHECK_REFUSED(gaussian_kl(regular, with(Eigen::MatrixXd::Identity(3, 2))),
                "the number of columns of the covariance of the second distribution is 2");
  CHECK_REFUSED(gaussian_kl(with(Eigen::MatrixXd::Identity(2, 3)), regular),
                "the number of rows of the covariance of the first distribution is 2");
  CHECK_REFUSED(gaussian_kl(gaussian_moments{Eigen::VectorXd::Constant(3, 1e200), regular.covariance}, regular),
                "the Kullback-Leibler divergence is inf, but it must be finite");
}
