#include <softscore/metric/frechet.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include <softscore/core/noise.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/data/stroke_digits.hpp>

#include "catch.hpp"
#include "printed.hpp"
#include "refusal.hpp"

using softscore::frechet_distance;
using softscore::gaussian_moments;
using softscore::row_matrix;

namespace {

row_matrix<double> samples(Eigen::Index n, Eigen::Index d, std::uint64_t seed) {
  row_matrix<double> rows(n, d);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < d; ++j) {
      const auto z = softscore::normals({seed, softscore::noise_stream::user, 0, 0}, static_cast<std::uint64_t>(i),
                                        static_cast<std::uint32_t>(j));
      rows(i, j) = static_cast<double>(z[0]) * (1.0 + 0.1 * static_cast<double>(j)) + 0.01 * static_cast<double>(seed);
    }
  }
  return rows;
}

}  // namespace

// Heusel et al. 2017; the value is our own derivation.
TEST_CASE("the Frechet distance of two plane normal distributions has the reference value") {
  gaussian_moments a{Eigen::VectorXd::Zero(2), Eigen::MatrixXd::Zero(2, 2)};
  a.covariance.diagonal() << 1, 4;
  gaussian_moments b{Eigen::VectorXd::Ones(2), Eigen::MatrixXd(2, 2)};
  b.covariance << 2, 1, 1, 2;
  // For two by two matrices tr M^(1/2) = sqrt(tr M + 2 sqrt(det M)); here tr S1 S2 = 10, det S1 S2 = 12.
  const double formula = 2 + 5 + 4 - 2 * std::sqrt(10 + 2 * std::sqrt(12.0));
  for (const double found : {frechet_distance(a, b), frechet_distance(b, a)}) {
    CHECK_THAT(found, as_printed("2.77122044765"));
    CHECK_THAT(found, Catch::Matchers::WithinAbs(formula, 1e-12));
  }
}

TEST_CASE("with diagonal covariances the Frechet distance is a sum over axes") {
  gaussian_moments a{Eigen::VectorXd::Zero(3), Eigen::MatrixXd::Zero(3, 3)}, b = a;
  a.covariance.diagonal() << 9.0, 0.25, 0.0;
  b.covariance.diagonal() << 1.0, 4.0, 0.16;
  b.mean << 0.5, 0.0, -2.0;
  // (3-1)^2 + (0.5-2)^2 + 0.4^2 + 0.25 + 4; a dozen operations on numbers below 20: 20 * 12 * 1.1e-16 < 1e-13.
  CHECK(std::abs(frechet_distance(a, b) - 10.66) < 1e-13);
}

TEST_CASE("the sum of singular values is found on every path through the band") {
  // Q diag(s) P^T with orthogonal Q, P has the singular values s: 1 to 1e-12, and a zero. A reflection errs by
  // eps |M|_F times a small number, so the sum by n eps |M|_F sqrt(n); the same covers Q and P.
  for (const auto& [rows, columns] :
       {std::pair<Eigen::Index, Eigen::Index>{1, 1}, {3, 7}, {9, 9}, {50, 41}, {530, 545}}) {
    const Eigen::Index n = std::min(rows, columns);
    const Eigen::MatrixXd q = samples(rows, n, 5).householderQr().householderQ() * Eigen::MatrixXd::Identity(rows, n);
    const Eigen::MatrixXd p =
        samples(columns, n, 6).householderQr().householderQ() * Eigen::MatrixXd::Identity(columns, n);
    Eigen::VectorXd values(n);
    for (Eigen::Index i = 0; i < n; ++i)
      values[i] = std::pow(10.0, -12.0 * static_cast<double>(i) / static_cast<double>(n));
    if (n > 1) values[n - 1] = 0;
    const double found = softscore::detail::nuclear_norm<double>(q * values.asDiagonal() * p.transpose());
    CHECK(std::abs(found - values.sum()) < 4e-16 * std::pow(static_cast<double>(n), 1.5) * values.norm());
  }
  CHECK(softscore::detail::nuclear_norm<double>(Eigen::MatrixXd(3, 0)) == 0.0);
}

TEST_CASE("the unit of measurement is no matter") {
  // A power of two scales every number of the computation, so only where the solver stops could make a difference.
  const auto a = samples(200, 30, 1), b = samples(200, 30, 2);
  const double distance = frechet_distance(a, b);
  for (const double unit : {0x1p-60, 0x1p-30, 0x1p40}) {
    CAPTURE(unit);
    const row_matrix<double> scaled_a = unit * a, scaled_b = unit * b;
    CHECK(std::abs(frechet_distance(scaled_a, scaled_b) / (unit * unit) - distance) < 1e-12 * distance);
  }
  const Eigen::MatrixXf matrix = a.cast<float>();
  const float sum = softscore::detail::nuclear_norm<float>(matrix);
  const float small = softscore::detail::nuclear_norm<float>(0x1p-30f * matrix);
  CHECK(std::abs(0x1p30f * small - sum) < 1e-5f * sum);
  CHECK(std::isnan(softscore::detail::nuclear_norm<double>(
      Eigen::MatrixXd::Constant(3, 3, std::numeric_limits<double>::quiet_NaN()))));
  CHECK(softscore::detail::nuclear_norm<double>(Eigen::MatrixXd::Zero(3, 3)) == 0.0);
}

TEST_CASE("covariances with common axes are as far apart as their deviations, a lower rank included") {
  // S = Q diag(s^2) Q^T: the distance is the sum of (s - t)^2. 150 axes of 200 have variance, more than two panels.
  const Eigen::Index d = 200, rank = 150;
  const Eigen::MatrixXd q = samples(d, d, 7).householderQr().householderQ();
  Eigen::VectorXd s = Eigen::VectorXd::Zero(d), t = Eigen::VectorXd::Zero(d);
  for (Eigen::Index i = 0; i < rank; ++i) {
    s[i] = 1.0 / (1.0 + 0.1 * static_cast<double>(i));
    t[rank - 1 - i] = s[i];
  }
  const auto distribution = [&](const Eigen::VectorXd& deviations) {
    return gaussian_moments{Eigen::VectorXd::Zero(d), q * deviations.cwiseAbs2().asDiagonal() * q.transpose()};
  };
  // The covariances themselves are right to d eps = 4.4e-14, and the least variance kept is 1/256: a deviation is then
  // off by 8 times that, and 200 of them are summed.
  CHECK(std::abs(frechet_distance(distribution(s), distribution(t)) - (s - t).squaredNorm()) < 200 * 8 * 4.4e-14);
}

TEST_CASE("with fewer samples than features both routes agree, and equal sets are at distance 0") {
  const auto a = samples(20, 50, 1), b = samples(30, 50, 2);
  const double low_rank = frechet_distance(a, b);
  const double full = frechet_distance(softscore::moments_of(a), softscore::moments_of(b));
  // Three traces below 1000, each right to d eps = 50 * 2.2e-16: 3.3e-11.
  CHECK(std::abs(full - low_rank) < 3.3e-11);
  CHECK(std::abs(frechet_distance(a, a)) < 3.3e-11);
  CHECK(std::abs(frechet_distance(softscore::moments_of(a), softscore::moments_of(a))) < 3.3e-11);
}

TEST_CASE("the Frechet distance of samples of two known distributions approaches the distance of the distributions") {
  const auto a = samples(20'000, 4, 3);
  row_matrix<double> b = 2.0 * samples(20'000, 4, 4);
  b.col(0).array() += 1.0;
  // Standard deviations s_j = 1 + j/10 and 2 s_j; means 0.03 and 2 0.04, and 1 more on the first axis.
  double expected = std::pow(0.05 + 1.0, 2) + 3.0 * 0.05 * 0.05;
  for (int j = 0; j < 4; ++j) expected += std::pow(1.0 + 0.1 * j, 2);
  // The largest term is s^2, estimated from 20,000 samples with relative deviation sqrt(2/20000) (1 + 4)/1 = 0.05 at
  // most for each of four axes of size below 1.7, and the mean's 2 1.05 sqrt(5/20000) = 0.033: five deviations.
  CHECK(std::abs(frechet_distance(a, b) - expected) < 5.0 * std::hypot(0.05 * 1.7, 0.033));
}

TEST_CASE("in principal components held-out digits are near and noise is far") {
  const auto training = softscore::stroke_digits(1500, 1), held_out = softscore::stroke_digits(500, 1, 28, 1500);
  auto noise = softscore::make_tensor({500, 1, 28, 28});
  for (std::size_t i = 0; i < noise.size(); ++i) {
    noise.data()[i] = static_cast<float>(
        softscore::uniform({7, softscore::noise_stream::user, 0, 0}, 0, static_cast<std::uint32_t>(i)));
  }
  const auto modes = softscore::fit_principal_components(softscore::as_view(training.pixels), 64);
  const auto from = softscore::as_view(training.pixels).images(0, 500);
  const double near = softscore::frechet_in_components(modes, from, softscore::as_view(held_out.pixels));
  const double far = softscore::frechet_in_components(modes, from, softscore::as_view(noise));
  CHECK(near > 0.0);
  CHECK(far > 20.0 * near);
}

TEST_CASE("sets that have no Frechet distance are refused") {
  CHECK_REFUSED(frechet_distance(samples(1, 3, 0), samples(5, 3, 0)), "samples of the first set is 1");
  CHECK_REFUSED(frechet_distance(samples(5, 3, 0), samples(1, 3, 0)), "samples of the second set is 1");
  CHECK_REFUSED(frechet_distance(samples(5, 3, 0), samples(5, 4, 0)), "features of the second set is 4");
  CHECK_REFUSED(softscore::moments_of(samples(1, 3, 0)), "the number of samples is 1");
  CHECK_REFUSED(frechet_distance(softscore::moments_of(samples(5, 3, 0)), softscore::moments_of(samples(5, 2, 0))),
                "the dimension of the second distribution is 2");
}

TEST_CASE("samples and distributions that are not finite have no Frechet distance") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Eigen::Index features : {3, 50}) {  // by both routes
    const auto good = samples(20, features, 1);
    auto bad = good;
    bad(7, 2) = nan;
    CHECK_REFUSED(frechet_distance(good, bad), "element 2 of sample 7 of the second set is nan, but it must be finite");
    CHECK_REFUSED(frechet_distance(bad, good), "element 2 of sample 7 of the first set is nan");
    const row_matrix<float> narrow = 1e20 * good.array().cast<float>();
    CHECK_REFUSED(frechet_distance<float>(narrow, good.cast<float>()), "but it must be finite");
  }
  // Off the diagonal of a covariance, where no trace sees it and no pivot may.
  auto distribution = softscore::moments_of(samples(20, 3, 1));
  const auto other = distribution;
  distribution.covariance(0, 2) = nan;
  CHECK_REFUSED(frechet_distance(other, distribution),
                "element 2 of row 0 of the covariance of the second distribution is nan");
  auto images = softscore::make_tensor({5, 1, 2, 2});
  for (std::size_t i = 0; i < 20; ++i) images.data()[i] = static_cast<float>(i * i % 7);
  const auto view = softscore::as_view(images);
  const auto components = softscore::fit_principal_components(view, 2);
  images.data()[9] = std::numeric_limits<float>::infinity();
  CHECK_REFUSED(softscore::frechet_in_components(components, view, view), "of sample 2 of the first set is ");
}
