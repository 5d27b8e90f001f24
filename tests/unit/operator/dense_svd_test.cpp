// Singular values and vectors of matrices without structure.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include <softscore/operator/dense_svd.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/motion_blur.hpp>

#include "opaque_backend.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> all(values.begin(), values.end());
  std::sort(all.begin(), all.end());
  return all;
}

// |U S V^T x - A x| and |V^T x| - |x| and so on, on the batch of all unit images.
template <class Be, class T>
double defect(Be& be, const dense_svd& parts, const Eigen::MatrixXd& a) {
  const auto d = static_cast<std::size_t>(a.rows());
  const shape units{d, 1, 1, d};
  std::vector<T> identity(d * d);
  for (std::size_t i = 0; i < d; ++i) identity[i * d + i] = T{1};
  auto x = be.template make<T>(units), modes = be.template make<T>(units), back = be.template make<T>(units);
  be.upload(identity.data(), x.view());
  double most = 0.0;
  const auto close = [&](const std::vector<T>& found, const auto& wanted) {
    for (std::size_t i = 0; i < d * d; ++i)
      most = std::max(most, std::abs(static_cast<double>(found[i]) - wanted(i / d, i % d)));
  };
  const auto unit = [](std::size_t i, std::size_t k) { return i == k ? 1.0 : 0.0; };
  parts.to_modes(be, x.view(), modes.view());
  parts.from_modes(be, modes.view(), back.view());
  close(values_of(be, back.view()), unit);
  auto scaled = values_of(be, modes.view());
  for (std::size_t i = 0; i < d * d; ++i) scaled[i] *= static_cast<T>(parts.values()[i % d]);
  be.upload(scaled.data(), modes.view());
  parts.measurement_from_modes(be, modes.view(), back.view());
  // Image i is A times unit i: column i of A.
  close(values_of(be, back.view()), [&](std::size_t i, std::size_t k) { return a(eigen_index(k), eigen_index(i)); });
  parts.measurement_to_modes(be, x.view(), modes.view());
  parts.measurement_from_modes(be, modes.view(), back.view());
  close(values_of(be, back.view()), unit);
  return most;
}

}  // namespace

TEST_CASE("any matrix is taken apart, on the host and on a device", "[operator]") {
  Eigen::MatrixXd full(13, 13);
  const auto numbers = [](Eigen::MatrixXd& m) {
    std::mt19937 engine{7};
    std::normal_distribution<double> normal;
    for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = normal(engine);
  };
  numbers(full);
  Eigen::MatrixXd poor = full;  // of rank 4
  poor.rightCols(9) = full.leftCols(4) * full.topRightCorner(4, 9);
  Eigen::MatrixXd steep = full;  // condition 1e12: squares of its smallest values are lost in A^T A
  for (Eigen::Index i = 0; i < 13; ++i) steep.col(i) *= std::pow(10.0, -static_cast<double>(i));
  serial_backend host;
  opaque_backend device;
  for (const Eigen::MatrixXd& a : {full, poor, steep, Eigen::MatrixXd{Eigen::MatrixXd::Zero(13, 13)}}) {
    const dense_svd parts{a};
    // Three products of 13 terms and some hundred rotations, of numbers up to the norm of the matrix.
    const double size = 1.0 + a.norm();
    CHECK(defect<serial_backend, double>(host, parts, a) < 100 * 13 * 1.2e-16 * size);
    CHECK(defect<opaque_backend, float>(device, parts, a) < 13 * 4 * 6e-8 * size);
  }
  const auto of_poor = sorted(dense_svd{poor}.values());
  CHECK(std::count(of_poor.begin(), of_poor.end(), 0.0) == 9);
  CHECK_REFUSED((dense_svd{Eigen::MatrixXd::Zero(2, 3)}),
                "columns of the matrix is 3, but it must be as many as its rows");
  CHECK_REFUSED((dense_svd{Eigen::MatrixXd::Constant(2, 2, std::numeric_limits<double>::infinity())}), "not finite");
  auto x = host.make<double>(shape{1, 1, 1, 12}), out = host.make<double>(shape{1, 1, 1, 12});
  CHECK_REFUSED((dense_svd{full}.to_modes(host, x.view(), out.view())), "elements of an image is 12");
}

TEST_CASE("an operator's matrix has the singular values of its structure", "[operator]") {
  const shape image{1, 1, 5, 7};
  const gaussian_blur blur{3};
  const auto by_axes = sorted(blur.svd(level{1.3}, image).values());
  const auto whole = sorted(dense_svd::of(blur, level{1.3}, image).values());
  for (std::size_t i = 0; i < 35; ++i) CHECK_THAT(whole[i], Catch::Matchers::WithinAbs(by_axes[i], 1e-14));
  // An operator without an SVD of its own.
  const auto streak = dense_svd::of(motion_blur{20.0}, level{3.0}, image);
  CHECK(streak.values().size() == 35);
  CHECK(*std::max_element(streak.values().begin(), streak.values().end()) <= 1.0 + 1e-14);
}
