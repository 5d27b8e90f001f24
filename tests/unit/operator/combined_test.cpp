// Operators made of operators: one after the other, side by side, one below the other, at a pace of their own.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/operator/composed.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/kernel_blur.hpp>
#include <softscore/operator/paced.hpp>
#include <softscore/operator/random_mask.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/operator/side_by_side.hpp>
#include <softscore/operator/stacked.hpp>

#include "obeys.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

const kernel_blur lopsided{1, 3, {0.5, 0.25, 0.0}};

template <class Op>
std::vector<double> applied(const Op& op, level w, view<const double, host_space> x) {
  serial_backend be;
  auto out = be.make<double>(x.extent());
  degradation<Op>::apply(op, be, per_image<level>{w}, x, out.view());
  return values_of(be, out.view());
}

using blurred_scaling = composed<scaling, paced<dct_blur>>;
static_assert(LinearOperator<blurred_scaling> && DifferentiableInLevel<blurred_scaling> && HasSvd<blurred_scaling>);
static_assert(NeverAmplifies<blurred_scaling> && !ScalarOperator<blurred_scaling> && !ComposesLevels<blurred_scaling>);
static_assert(ScalarOperator<composed<scaling, scaling>>);
static_assert(DifferentiableGain<composed<scaling, paced<scaling>>>);
static_assert(IsDiagonal<composed<fade, random_mask>> && !DifferentiableInLevel<composed<fade, random_mask>>);
static_assert(!HasSvd<composed<kernel_blur, fade>> && !NeverAmplifies<composed<kernel_blur, fade>>);
static_assert(ComposesLevels<paced<dct_blur>> && ScalarOperator<paced<scaling>> && !HasSvd<paced<kernel_blur>>);
static_assert(!LinearOperator<stacked<fade, scaling>>);

}  // namespace

TEST_CASE("operators made of operators obey the laws", "[operator]") {
  obeys(paced{dct_blur{}, 4.0}, {});
  obeys(paced{eraser{7, 9, 30}, 30.0}, {.extents = {{5, 3, 7, 9}}});
  obeys(scaling{} * paced{dct_blur{}, 4.0}, {});
  obeys(lopsided * fade{}, {});
  obeys(fade{} * random_mask{} * scaling{}, {});
  obeys(scaling{} * scaling{}, {});
  obeys(side_by_side{lopsided, fade{}}, {.extents = {{5, 3, 7, 9}, {3, 2, 1, 6}}});
  obeys(side_by_side{paced{dct_blur{}, 3.0}, scaling{}, 2}, {.extents = {{5, 3, 7, 9}}});
}

TEST_CASE("a product acts from the right", "[operator]") {
  serial_backend be;
  const auto x = random_batch<double>(be, shape{2, 1, 3, 5}, 1);
  const level w{0.7};
  auto first = be.make<double>(x.extent());
  degradation<fade>::apply(fade{}, be, w, x.view(), first.view());
  CHECK((applied(lopsided * fade{}, w, x.view()) == applied(lopsided, w, first.view())));
  CHECK((applied(lopsided * fade{}, w, x.view()) != applied(fade{} * lopsided, w, x.view())));
  CHECK((applied(paced{scaling{}, 3.0}, w, x.view()) == applied(scaling{}, level{3.0 * 0.7}, x.view())));
  CHECK_REFUSED((paced{scaling{}, 0.0}), "pace is 0, but it must be above 0 and finite");
}

TEST_CASE("the gain of a product of numbers has the slope of its product", "[operator]") {
  // exp(-w) exp(-3 w), whose slope is -4 of it.
  const auto both = scaling{} * paced{scaling{}, 3.0};
  CHECK_THAT(both.gain(level{0.3}), Catch::Matchers::WithinAbs(std::exp(-1.2), 1e-15));
  CHECK_THAT(both.gain_derivative(level{0.3}), Catch::Matchers::WithinAbs(-4.0 * std::exp(-1.2), 4e-15));
}

TEST_CASE("channels go to the operator that they belong to", "[operator]") {
  serial_backend be;
  const shape image{2, 3, 2, 4};
  const auto x = random_batch<double>(be, image, 2);
  const auto both = applied(side_by_side{scaling{}, fade{}, 1}, level{0.5}, x.view());
  const auto scaled = applied(scaling{}, level{0.5}, x.view()), faded = applied(fade{}, level{0.5}, x.view());
  for (std::size_t i = 0; i < both.size(); ++i) CHECK(both[i] == (i / 8 % 3 == 0 ? scaled : faded)[i]);
  CHECK_REFUSED((side_by_side{scaling{}, fade{}, 0}), "channels of the first operator is 0, but it must be at least 1");
  CHECK_REFUSED(applied(side_by_side{scaling{}, fade{}, 3}, level{0.5}, x.view()),
                "number of channels is 3, but it must be above that of the first operator");
}

TEST_CASE("stacked measurements have both, and a true adjoint", "[operator]") {
  serial_backend be;
  const stacked op{lopsided, fade{}};
  const shape image{3, 2, 3, 5}, seen{3, 4, 3, 5};
  CHECK(op.measured(image) == seen);
  const std::vector<level> levels{{0.0}, {0.4}, {1.0}};
  const per_image<level> each{std::span<const level>{levels}};
  auto x = random_batch<double>(be, image, 3), y = random_batch<double>(be, seen, 4);
  auto forth = be.make<double>(seen), back = be.make<double>(image);
  op.measure(be, each, x.view(), forth.view());
  op.measure_adjoint(be, each, y.view(), back.view());
  std::vector<double> left(3), right(3);
  be.dot(forth.view(), y.view(), left.data());
  be.dot(x.view(), back.view(), right.data());
  // Sums of 60 products of numbers of size 1.
  for (std::size_t i = 0; i < 3; ++i) CHECK_THAT(left[i], Catch::Matchers::WithinAbs(right[i], 60 * 4e-16 * 8));
  const auto blurred = applied(lopsided, level{0.4}, x.view()), faded = applied(fade{}, level{0.4}, x.view());
  for (std::size_t k = 0; k < 30; ++k) {
    CHECK(forth.view()[60 + k] == blurred[30 + k]);
    CHECK(forth.view()[90 + k] == faded[30 + k]);
  }
  CHECK_REFUSED(op.measure(be, each, x.view(), back.view()), "extent of the measurement is 3 x 2 x 3 x 5");
  CHECK_REFUSED(op.measure_adjoint(be, each, x.view(), back.view()), "with twice the channels");
}
