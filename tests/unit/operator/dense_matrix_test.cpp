// A matrix of the user's own, multiplied through a BLAS.
#include "catch.hpp"

#include <cstddef>
#include <limits>
#include <random>

#include <softscore/operator/dense_matrix.hpp>

#include "obeys.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"
#include "stealing_backend.hpp"

using namespace softscore;

namespace {

dense_matrix random_matrix(std::size_t d) {
  std::mt19937 engine{11};
  std::normal_distribution<double> normal;
  xt::xtensor<double, 2> a(xt::xtensor<double, 2>::shape_type{d, d});
  for (double& v : a) v = normal(engine);
  return dense_matrix{a};
}

}  // namespace

TEST_CASE("a dense matrix obeys the laws", "[operator]") {
  obeys(random_matrix(18), {.extents = {{3, 3, 1, 6}, {2, 1, 9, 2}}});
  obeys(random_matrix(35), {.extents = {{5, 1, 5, 7}}});
  obeys(random_matrix(1), {.extents = {{2, 1, 1, 1}}});
}

TEST_CASE("a dense matrix is the sum over its rows", "[operator]") {
  serial_backend be;
  const shape image{3, 2, 2, 3};
  const dense_matrix op = random_matrix(12);
  const auto x = random_batch<double>(be, image, 1);
  auto forth = be.make<double>(image), back = be.make<double>(image);
  op.apply(be, per_image<level>{level{0.25}}, x.view(), forth.view());
  op.adjoint(be, per_image<level>{level{1.0}}, x.view(), back.view());
  for (std::size_t n = 0; n < 3; ++n)
    for (std::size_t i = 0; i < 12; ++i) {
      double sum = 0.0, transposed = 0.0;
      for (std::size_t k = 0; k < 12; ++k) {
        sum += op.matrix()(i, k) * x.view()[n * 12 + k];
        transposed += op.matrix()(k, i) * x.view()[n * 12 + k];
      }
      // Sums of 12 products of numbers up to 3.
      CHECK_THAT(forth.view()[n * 12 + i],
                 Catch::Matchers::WithinAbs(0.75 * x.view()[n * 12 + i] + 0.25 * sum, 12 * 9 * 4 * 1.2e-16));
      CHECK_THAT(back.view()[n * 12 + i], Catch::Matchers::WithinAbs(transposed, 12 * 9 * 4 * 1.2e-16));
    }
}

TEST_CASE("a dense matrix refuses what it does not fit", "[operator]") {
  serial_backend be;
  CHECK_REFUSED((dense_matrix{xt::xtensor<double, 2>(xt::xtensor<double, 2>::shape_type{2, 3})}),
                "columns of the matrix is 3, but it must be as many as its rows");
  xt::xtensor<double, 2> hole(xt::xtensor<double, 2>::shape_type{1, 1});
  hole(0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_REFUSED((dense_matrix{hole}), "an element of the matrix is nan, but it must be finite");
  const auto x = random_batch<double>(be, shape{2, 1, 2, 2}, 1);
  auto out = be.make<double>(x.extent());
  CHECK_REFUSED((random_matrix(5).apply(be, per_image<level>{level{0.5}}, x.view(), out.view())),
                "elements of an image is 4, but it must be the rows of the matrix");
  CHECK_REFUSED((random_matrix(5).svd(level{0.5}, x.extent())), "elements of an image is 4");
}

TEST_CASE("a task that a waiting thread takes up does not disturb a dense matrix", "[operator]") {
  stealing_backend maker;
  xt::xtensor<double, 2> mirror(
      xt::xtensor<double, 2>::shape_type{stolen_extent.per_image(), stolen_extent.per_image()});
  mirror.fill(0.0);
  for (std::size_t i = 0; i < stolen_extent.per_image(); ++i) mirror(i, stolen_extent.per_image() - 1 - i) = 1.0;
  const dense_matrix op{mirror};
  const auto x = random_batch<float>(maker, stolen_extent, 1);
  CHECK(survives_stealing([&](auto& be, double w, view<float, host_space> out) {
    const auto levels = up_to<level>(w);
    op.apply(be, each_of(levels), x.view(), out);
  }));
}
