#include <softscore/data/pca.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <softscore/core/noise.hpp>
#include <softscore/core/xtensor.hpp>

#include "catch.hpp"
#include "refusal.hpp"

using softscore::fit_principal_components;
using softscore::shape;

namespace {

template <class T>
xt::xtensor<T, 4> images(std::size_t count, shape extent) {
  auto result = softscore::make_tensor<T>(extent.with_images(count));
  const std::size_t d = extent.per_image();
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < d; ++j) {
      const auto z = softscore::normals({5, softscore::noise_stream::user, 0, 0}, i, static_cast<std::uint32_t>(j));
      result.data()[i * d + j] = static_cast<T>(z[0] * static_cast<float>(1 + j % 7) + static_cast<float>(j));
    }
  }
  return result;
}

// The covariance, written out.
Eigen::MatrixXd covariance(const xt::xtensor<double, 4>& batch) {
  const auto rows = softscore::as_matrix(softscore::as_view(batch));
  const Eigen::MatrixXd centered = rows.rowwise() - rows.colwise().mean();
  return centered.transpose() * centered / static_cast<double>(rows.rows() - 1);
}

}  // namespace

TEST_CASE("principal components are orthonormal eigenvectors of the covariance, largest first, on either route") {
  // 300 images of 24 elements go by the covariance, 15 by the Gram matrix.
  for (const std::size_t count : {std::size_t{300}, std::size_t{15}}) {
    const auto batch = images<double>(count, {0, 2, 3, 4});
    const std::size_t k = 10;
    const auto found = fit_principal_components(softscore::as_view(batch), k);
    REQUIRE(found.count() == k);
    REQUIRE(found.dimension() == 24);
    const Eigen::MatrixXd c = covariance(batch);
    const auto modes = softscore::as_matrix(found.modes.data(), k, 24);
    // Sizes are below 100 and dimensions below 300: rounding stays under 300 * 1e-16 * 100 = 3e-12.
    CHECK((modes * modes.transpose() - Eigen::MatrixXd::Identity(10, 10)).cwiseAbs().maxCoeff() < 3e-12);
    for (std::size_t i = 0; i < k; ++i) {
      const Eigen::VectorXd v = modes.row(softscore::eigen_index(i)).transpose();
      const double variance = found.deviations[i] * found.deviations[i];
      CHECK((c * v - variance * v).cwiseAbs().maxCoeff() < 3e-11);
      CHECK(v.maxCoeff() >= -v.minCoeff());
      if (i > 0) CHECK(found.deviations[i] <= found.deviations[i - 1]);
    }
    CHECK(found.total_variance == Approx(c.trace()).epsilon(1e-13));
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved{c};
    CHECK(found.deviations[0] == Approx(std::sqrt(solved.eigenvalues().maxCoeff())).epsilon(1e-12));
    for (std::size_t j = 0; j < 24; ++j) {
      double mean = 0.0;
      for (std::size_t i = 0; i < count; ++i) mean += batch.data()[i * 24 + j] / static_cast<double>(count);
      CHECK(std::abs(found.mean[j] - mean) < 3e-12);
    }
  }
}

TEST_CASE("coordinates along the modes are uncorrelated, centered and have the modes' deviations") {
  const auto batch = images<float>(400, {0, 1, 4, 4});
  const auto found = fit_principal_components(softscore::as_view(batch), 16);
  const auto coordinates = softscore::project(found, softscore::as_view(batch));
  const Eigen::MatrixXd c = coordinates.transpose() * coordinates / 399.0;
  Eigen::MatrixXd expected = Eigen::MatrixXd::Zero(16, 16);
  for (std::size_t i = 0; i < 16; ++i) {
    expected(softscore::eigen_index(i), softscore::eigen_index(i)) = found.deviations[i] * found.deviations[i];
  }
  // As above: 400 * 1e-16 * 100 < 1e-11.
  CHECK((c - expected).cwiseAbs().maxCoeff() < 1e-11);
  CHECK(coordinates.colwise().mean().cwiseAbs().maxCoeff() < 1e-11);
  // All modes together keep all of the variance.
  CHECK(expected.trace() == Approx(found.total_variance).epsilon(1e-13));
}

TEST_CASE("images that vary along one line have one mode and nothing beyond it") {
  auto batch = softscore::make_tensor<double>({5, 1, 1, 3});
  for (std::size_t i = 0; i < 5; ++i) {
    const double t = static_cast<double>(i) - 2.0;
    batch(i, 0, 0, 0) = 1.0 - 2.0 * t;
    batch(i, 0, 0, 1) = 1.0 * t;
    batch(i, 0, 0, 2) = 7.0 + 2.0 * t;
  }
  const auto found = fit_principal_components(softscore::as_view(batch), 2);
  // Direction (-2, 1, 2)/3, turned so that its first largest entry is positive; variance of t is 10/4, times 9.
  CHECK(std::abs(found.modes[0]) == Approx(2.0 / 3.0));
  CHECK(found.modes[1] * found.modes[2] == Approx(2.0 / 9.0));
  CHECK(found.deviations[0] == Approx(std::sqrt(22.5)));
  CHECK(found.deviations[1] < 1e-7);
  CHECK(found.mean[2] == Approx(7.0));
}

TEST_CASE("numbers of components that cannot be are refused") {
  const auto batch = images<float>(6, {0, 1, 2, 2});
  CHECK_REFUSED(fit_principal_components(softscore::as_view(batch), 0), "the number of principal components is 0");
  CHECK_REFUSED(fit_principal_components(softscore::as_view(batch), 5), "the number of principal components is 5");
  CHECK_REFUSED(fit_principal_components(softscore::as_view(batch).images(0, 3), 3), "principal components is 3");
  CHECK_REFUSED(fit_principal_components(softscore::as_view(batch).images(0, 1), 1), "the number of images to fit");
  const auto found = fit_principal_components(softscore::as_view(batch), 2);
  const auto other = images<float>(6, {0, 1, 2, 3});
  CHECK_REFUSED(softscore::project(found, softscore::as_view(other)), "the number of pixels of an image is 6");
}

TEST_CASE("images that are not finite have no principal components") {
  for (const std::size_t count : {std::size_t{300}, std::size_t{15}}) {  // by both routes
    auto batch = images<float>(count, {0, 2, 3, 4});
    batch.data()[24 * 7 + 5] = HUGE_VALF;
    CHECK_REFUSED(fit_principal_components(softscore::as_view(batch), 3),
                  "an element of image 7 is inf, but it must be finite");
  }
  auto batch = images<double>(15, {0, 2, 3, 4});
  batch.data()[5] = 1e200;
  CHECK_REFUSED(fit_principal_components(softscore::as_view(batch), 3), "the total variance of the images is inf");
}
