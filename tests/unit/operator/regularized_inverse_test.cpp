// Solving (A^T A + rho I) x = A^T b on the backend by conjugate gradients (Hestenes and Stiefel 1952).
#include <softscore/operator/regularized_inverse.hpp>

#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>

#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {
const shape image{1, 2, 5, 4};

template <class Op, class T>
std::vector<T> solved(const measurement<Op>& how, double rho, const host_array<T>& b) {
  serial_backend be;
  regularized_inverse<serial_backend, T> inverse{be, b.extent()};
  auto x = be.make<T>(b.extent());
  inverse.solve(be, how, rho, b.view(), x.view());
  return values_of(be, x.view());
}
}  // namespace

TEST_CASE("the regularized inverse solves its normal equations", "[operator]") {
  serial_backend be;
  const measurement how{gaussian_blur{.half_width = 3}, level{0.6}};
  const auto b = random_batch<double>(be, image.with_images(3), 1);
  for (const double rho : {0.0, 0.01, 1.0}) {
    auto x = be.make<double>(b.extent()), seen = be.make<double>(b.extent()), left = be.make<double>(b.extent()),
         right = be.make<double>(b.extent());
    const auto values = solved(how, rho, b);
    be.upload(values.data(), x.view());
    how.apply<serial_backend, double>(be, x.view(), seen.view());
    how.adjoint<serial_backend, double>(be, seen.view(), left.view());
    be.combine(left.view(), term{1.0, left.view()}, term{rho, x.view()});
    how.adjoint<serial_backend, double>(be, b.view(), right.view());
    // The residual that the solver stops at, 1e-13 of the right side, and the drift of the one it keeps from the true
    // one, below the condition number 1e2 times a rounding for each of its steps.
    for (std::size_t i = 0; i < b.extent().size(); ++i) CHECK_THAT(left.view()[i], WithinAbs(right.view()[i], 1e-12));
  }
}

TEST_CASE("the regularized inverse of a mask and of a scaling are known", "[operator]") {
  serial_backend be;
  const auto b = random_batch<double>(be, image.with_images(2), 2);
  const measurement masked{centered_mask{}, level{2.0}};
  auto kept = be.make<double>(b.extent());
  masked.apply<serial_backend, double>(be, b.view(), kept.view());
  // A projection: A / (1 + rho), for rho = 0 too, though A has no inverse.
  for (const double rho : {0.0, 0.5}) {
    const auto x = solved(masked, rho, b);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK_THAT(x[i], WithinAbs(kept.view()[i] / (1 + rho), 1e-15));
  }
  const auto x = solved(measurement{scaling{}, level{std::log(2.0)}}, 0.75, b);
  for (std::size_t i = 0; i < x.size(); ++i) CHECK_THAT(x[i], WithinAbs(0.5 * b.view()[i], 1e-15));
}

TEST_CASE("an image's solution does not depend on the others of the batch", "[operator]") {
  serial_backend be;
  const measurement how{gaussian_blur{.half_width = 3}, level{0.9}};
  auto b = random_batch<float>(be, image.with_images(3), 3);
  for (float& value : b.view().image(1)) value = 0.0f;  // done at once
  const auto together = solved(how, 0.05, b);
  for (std::size_t i = 0; i < 3; ++i) {
    auto alone = be.make<float>(image);
    be.combine(alone.view(), term<float, host_space>{1.0, b.view().images(i, 1)});
    const auto x = solved(how, 0.05, alone);
    for (std::size_t k = 0; k < x.size(); ++k) CHECK(x[k] == together[i * x.size() + k]);
  }
}

TEST_CASE("a measurement observes A x and noise of its size", "[operator]") {
  serial_backend be;
  const shape two = image.with_images(2);
  const auto x = random_batch<double>(be, two, 4);
  const measurement how{gaussian_blur{.half_width = 3}, level{0.9}, 0.25};
  auto y = be.make<double>(two), clean = be.make<double>(two), noise = be.make<double>(two);
  const noise_key key{.seed = 9};
  how.observe<serial_backend, double>(be, key, {4, 2}, x.view(), y.view());
  how.apply<serial_backend, double>(be, x.view(), clean.view());
  be.normal(key, {4, 2}, noise.view());
  for (std::size_t i = 0; i < two.size(); ++i)
    CHECK_THAT(y.view()[i], WithinAbs(clean.view()[i] + 0.25 * noise.view()[i], 1e-15));
  CHECK_REFUSED((measurement{scaling{}, level{-1.0}}.check()), "level of the measurement is -1");
}
