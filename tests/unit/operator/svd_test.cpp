// Singular values and vectors of the small matrices that operators are made of (Hestenes 1958).
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numbers>
#include <random>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/diagonal_svd.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/small_svd.hpp>

#include "random_batch.hpp"

using namespace softscore;

namespace {

// The largest entry of |U^T U - I|, |V^T V - I| and |U S V^T - A| / |A|.
double defect(std::size_t n, const std::vector<double>& a, const detail::small_svd& parts) {
  double most = 0.0, largest = 0.0;
  for (const double v : a) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      double u = i == j ? -1.0 : 0.0, v = u, product = -a[i * n + j];
      for (std::size_t k = 0; k < n; ++k) {
        u += parts.u[k * n + i] * parts.u[k * n + j];
        v += parts.v[k * n + i] * parts.v[k * n + j];
        product += parts.u[i * n + k] * parts.values[k] * parts.v[j * n + k];
      }
      most =
          std::max({most, std::abs(u), std::abs(v), largest > 0.0 ? std::abs(product) / largest : std::abs(product)});
    }
  return most;
}

}  // namespace

TEST_CASE("a small matrix is taken apart into orthogonal factors, whatever its rank", "[operator]") {
  std::mt19937 engine{3};
  std::normal_distribution<double> normal;
  for (const std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{9}, std::size_t{28}, std::size_t{64}}) {
    CAPTURE(n);
    std::vector<double> full(n * n), one(n * n), half(n * n), hilbert(n * n);
    for (double& v : full) v = normal(engine);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n; ++k) {
        one[i * n + k] = static_cast<double>(i + 1);
        half[i * n + k] = i / 2 == k / 2 ? 0.5 : 0.0;
        hilbert[i * n + k] = 1.0 / static_cast<double>(i + k + 1);
      }
    // Every rotation rounds, and a few sweeps of n of them touch each column: 1e-16 times 10 n, and values below n eps
    // are dropped, each of which may sit in an entry of the product.
    for (const auto& a : {full, one, half, hilbert, std::vector<double>(n * n)}) {
      const auto parts = detail::decompose(n, a);
      CHECK(defect(n, a, parts) < 20.0 * static_cast<double>(n) * 1.2e-16);
      CHECK(std::all_of(parts.values.begin(), parts.values.end(), [](double v) { return v >= 0.0; }));
    }
    const auto of_one = detail::decompose(n, one);
    CHECK(std::count(of_one.values.begin(), of_one.values.end(), 0.0) == static_cast<std::ptrdiff_t>(n - 1));
  }
}

TEST_CASE("the second difference has the singular values that its formula gives", "[operator]") {
  // 2 - 2 cos(k pi / (n + 1)), k = 1..n.
  const std::size_t n = 17;
  std::vector<double> a(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    a[i * n + i] = 2.0;
    if (i + 1 < n) a[i * n + i + 1] = a[(i + 1) * n + i] = -1.0;
  }
  auto values = detail::decompose(n, a).values;
  std::sort(values.begin(), values.end());
  for (std::size_t k = 1; k <= n; ++k)
    CHECK_THAT(values[k - 1], Catch::Matchers::WithinAbs(
                                  2.0 - 2.0 * std::cos(static_cast<double>(k) * std::numbers::pi / 18.0), 1e-14));
}

TEST_CASE("a diagonal's modes are its pixels, and a negative entry is a sign of what is measured", "[operator]") {
  serial_backend be;
  const shape image{2, 1, 1, 3};
  const diagonal_svd parts{{2.0, -3.0, 0.0}};
  CHECK((std::vector<double>(parts.values().begin(), parts.values().end()) == std::vector<double>{2.0, 3.0, 0.0}));
  const auto x = random_batch<double>(be, image, 1);
  auto out = be.make<double>(image);
  parts.measurement_to_modes(be, x.view(), out.view());
  for (std::size_t i = 0; i < 6; ++i) CHECK(out.view()[i] == (i % 3 == 1 ? -1.0 : 1.0) * x.view()[i]);
  parts.to_modes(be, x.view(), out.view());
  CHECK((values_of(be, out.view()) == values_of(be, x.view())));
  // A mask of side 5 that keeps 3 x 3 of 2 channels.
  const auto kept = degradation<centered_mask>::svd(centered_mask{}, level{2.0}, shape{1, 2, 5, 5});
  CHECK(std::count(kept.values().begin(), kept.values().end(), 1.0) == 18);
  CHECK(std::count(kept.values().begin(), kept.values().end(), 0.0) == 32);
}

TEST_CASE("a blur's singular values fall from below 1 to nothing", "[operator]") {
  const auto parts = gaussian_blur{.half_width = 28}.svd(level{14.0}, shape{1, 1, 28, 28});
  const auto largest = *std::max_element(parts.values().begin(), parts.values().end());
  CHECK(largest < 1.0);
  // Own derivation: per axis the second over the first is 0.214 at 32 pixels and w = 18 with H = 32.
  auto axis = gaussian_blur{.half_width = 32}.svd(level{18.0}, shape{1, 1, 1, 32});
  std::vector<double> sorted(axis.values().begin(), axis.values().end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>{});
  CHECK_THAT(sorted[1] / sorted[0], Catch::Matchers::WithinAbs(0.214, 5e-4));
  auto large = gaussian_blur{.half_width = 80}.svd(level{23.0}, shape{1, 1, 1, 64});
  std::vector<double> more(large.values().begin(), large.values().end());
  std::sort(more.begin(), more.end(), std::greater<>{});
  CHECK_THAT(more[1] / more[0], Catch::Matchers::WithinAbs(0.403, 5e-4));
}
