// Convolutions of any kernel, stride and padding on every backend, against their definition.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <softscore/backend/serial.hpp>

#include "convolutions.hpp"
#include "device_under_test.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

double sum_of_products(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// 17 x 17 taps, without padding, leave 12 x 12 of 28 x 28 pixels.
const conv2d_shape valid_17{2, 1, 3, 28, 28, 17, 1, conv2d_padding::all(0)};

}  // namespace

TEST_CASE("a convolution has the sizes that PyTorch gives it", "[operations]") {
  const auto sides = [](const conv2d_shape& s) { return std::vector{s.out_height(), s.out_width()}; };
  using pair = std::vector<std::size_t>;
  CHECK(sides(valid_17) == pair{12, 12});
  CHECK(sides({1, 1, 1, 28, 28, 7}) == pair{28, 28});
  CHECK(sides({1, 1, 1, 9, 6, 3, 2}) == pair{5, 3});
  CHECK(sides({1, 1, 1, 32, 28, 3, 2, conv2d_padding::all(1)}) == pair{16, 14});
  CHECK(sides({1, 1, 1, 32, 7, 3, 2, {0, 0, 1, 1}}) == pair{16, 3});
  CHECK(sides({1, 1, 1, 6, 9, {1, 7}, 1, conv2d_padding::all(0)}) == pair{6, 3});
  CHECK(sides({1, 1, 1, 32, 32, 4, 4, conv2d_padding::all(0)}) == pair{8, 8});
  CHECK(conv2d_shape{1, 2, 3, 6, 9, {1, 7}}.weight() == shape{3, 2, 1, 7});
  CHECK(conv2d_shape{1, 2, 3, 6, 9, {1, 7}}.fan_in() == 14);
  CHECK(conv2d_shape{1, 1, 1, 6, 9, {1, 7}, 1, {0, 3, 0, 3}}.is_same());
  CHECK(!conv2d_shape{1, 1, 1, 6, 9, {1, 7}, 1, {0, 3, 0, 2}}.is_same());
}

TEMPLATE_TEST_CASE("a convolution of any sizes is the sum that defines it, and its gradients are its slopes",
                   "[operations]", HOST_BACKENDS, device_under_test) {
  TestType be;
  std::vector<conv2d_shape> sizes = odd_convolutions();
  sizes.push_back(valid_17);
  for (const conv2d_shape& s : sizes) {
    CAPTURE(text_of(s));
    const convolution_case at{s};
    const convolution_result result = plan_and_convolve<double>(be, at, s.images + 2);
    // Sums of at most 867 products of normal numbers, in double: each rounding is below 1e-14.
    convolution_definition{at}.check(result, 1, 1e-12);

    // The three gradients belong to one bilinear form.
    convolution_case without = at;
    for (double& b : without.bias) b = 0;
    const double form = sum_of_products(plan_and_convolve<double>(be, without, s.images).y, at.dy);
    const double terms = static_cast<double>(at.dy.size() * s.fan_in());
    CHECK(std::abs(sum_of_products(at.x, result.dx) - form) < 1e-14 * terms);
    CHECK(std::abs(sum_of_products(at.weight, result.dweight) - form) < 1e-14 * terms);

    const auto with = [&](std::vector<double> convolution_case::* member) {
      return [&, member](const std::vector<double>& values) {
        convolution_case moved = at;
        moved.*member = values;
        return sum_of_products(plan_and_convolve<double>(be, moved, s.images).y, at.dy);
      };
    };
    if (sum_of_products(result.dx, result.dx) > 0) {  // else no output meets the input
      CHECK(slope_error(with(&convolution_case::x), at.x, result.dx) < 1e-7);
      CHECK(slope_error(with(&convolution_case::weight), at.weight, result.dweight) < 1e-7);
    }
    CHECK(slope_error(with(&convolution_case::bias), at.bias, result.dbias) < 1e-7);
  }
}

TEMPLATE_TEST_CASE("a convolution without a bias changes nothing else", "[operations]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  std::vector<conv2d_shape> sizes = odd_convolutions();
  // By every method: 16 channels are a block, and the largest has a transform.
  for (const std::size_t kernel : {std::size_t{1}, std::size_t{3}, std::size_t{7}})
    sizes.push_back({2, 16, 32, 8, 9, kernel});
  for (const conv2d_shape& s : sizes) {
    CAPTURE(text_of(s));
    const convolution_case at{s};
    convolution_case zero = at;
    for (double& b : zero.bias) b = 0;
    const auto run = [&](const convolution_case& c, const convolution_extras& with) {
      return convolve<float>(be, c, make_conv2d<float>(be, c.s), with);
    };
    const convolution_result full = run(zero, {}), none = run(at, {.bias = false, .dbias = false});
    CHECK(none.y == full.y);
    CHECK(none.dx == full.dx);
    CHECK(none.dweight == full.dweight);
    CHECK(run(at, {.bias = false}).dbias == full.dbias);
  }
}

TEMPLATE_TEST_CASE("what is added to a convolution's output is in the sum", "[operations]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  std::vector<conv2d_shape> sizes = odd_convolutions();
  sizes.push_back({2, 16, 32, 8, 9, 7});
  for (const conv2d_shape& s : sizes) {
    CAPTURE(text_of(s));
    const convolution_case at{s};
    const auto run = [&](const convolution_extras& with) {
      return convolve<double>(be, at, make_conv2d<double>(be, s), with).y;
    };
    const std::vector<double> with = run({.addend = true});
    std::vector<double> expected = run({});
    for (std::size_t k = 0; k < expected.size(); ++k) expected[k] += at.dy[k];
    // Sums of at most 867 products of normal numbers, in double: each rounding is below 1e-14.
    CHECK(distance(with, expected, 1) < 1e-12);
  }
}

TEST_CASE("a device convolves any sizes in float, to the same bits in any batch and order", "[operations]") {
  device_under_test device;
  std::vector<conv2d_shape> sizes = odd_convolutions();
  sizes.push_back(valid_17);
  sizes.push_back({2, 32, 16, 14, 14, 3, 2, {0, 0, 1, 1}});
  sizes.push_back({2, 16, 32, 7, 8, 3, 2, conv2d_padding::all(1)});
  for (const conv2d_shape& s : sizes) {
    CAPTURE(text_of(s));
    const convolution_case at{s};
    serial_backend serial;
    const convolution_result exact = plan_and_convolve<double>(serial, at, s.images),
                             sizes_of = plan_and_convolve<double>(serial, at.magnitudes(), s.images);
    const convolution_result fast = plan_and_convolve<float>(device, at, s.images + 3);
    // A rounding of 2^-24 for each product and sum, and for the two factors and the result: at worst they add up.
    const auto bound = [](std::size_t products) { return static_cast<double>(products + 3) * 0x1p-24; };
    const std::size_t places = s.images * s.output(1).plane();
    CHECK(distance(fast.y, exact.y, sizes_of.y) < bound(s.fan_in() + 1));
    CHECK(distance(fast.dx, exact.dx, sizes_of.dx) < bound(s.out_channels * s.kernel.taps()));
    CHECK(distance(fast.dweight, exact.dweight, sizes_of.dweight) < bound(places));
    CHECK(distance(fast.dbias, exact.dbias, sizes_of.dbias) < bound(places));
    const convolution_result alone = plan_and_convolve<float>(device, at.first(), 1);
    CHECK(std::equal(alone.y.begin(), alone.y.end(), fast.y.begin()));
    CHECK(std::equal(alone.dx.begin(), alone.dx.end(), fast.dx.begin()));
#if !defined(__CUDACC__)
    device_under_test backwards;
    backwards.device().backwards = true;
    CHECK(plan_and_convolve<float>(backwards, at, s.images) == fast);
#endif
  }
}

TEMPLATE_TEST_CASE("a convolution refuses kernels, strides and paddings that it cannot have", "[operations]",
                   HOST_BACKENDS, device_under_test) {
  TestType be;
  const auto plan = [&](const conv2d_shape& s) { make_conv2d<float>(be, s); };
  const auto valid = conv2d_padding::all(0);
  CHECK_REFUSED(plan({1, 1, 1, 4, 4, {3, 2}}), "kernel.width is 2, but it must be odd");
  CHECK_REFUSED(plan({1, 1, 1, 4, 4, {2, 3}}), "kernel.height is 2, but it must be odd");
  CHECK_REFUSED(plan({1, 1, 1, 4, 4, {0, 3}, 1, valid}), "kernel.height is 0");
  CHECK_REFUSED(plan({1, 1, 1, 4, 4, {3, 0}, 1, valid}), "kernel.width is 0");
  CHECK_REFUSED(plan({1, 1, 1, 4, 4, 3, 0, valid}), "stride is 0");
  CHECK_REFUSED(plan({1, 1, 1, 4, 5, 5, 1, valid}), "kernel.height is 5, but it must be at most the height");
  CHECK_REFUSED(plan({1, 1, 1, 5, 4, {5, 7}, 1, {0, 1, 0, 1}}), "kernel.width is 7, but it must be at most the width");
  // A number below 0, in one place or everywhere but where all are 'same'.
  CHECK_REFUSED(plan({1, 1, 1, 4, 4, 3, 1, {SIZE_MAX, 0, 0, 0}}), "the largest of height, width, kernel and padding");
  CHECK_REFUSED(plan({1, 1, 1, 4, 4, 3, 1, conv2d_padding::all(SIZE_MAX - 1)}), "padding");
  CHECK_REFUSED(plan({1, 1, 1, SIZE_MAX / 2, 1, {SIZE_MAX / 2, 1}}),
                "the largest of height, width, kernel and padding");
  // Products that do not fit.
  const std::size_t large = std::size_t{1} << 31;
  CHECK_REFUSED(plan({large, large, 1, 1, 1, 1}), "number of inputs of a convolution");
  CHECK_REFUSED(plan({large, 1, large, 1, 1, 1}), "number of outputs of a convolution");
  CHECK_REFUSED(plan({1, large, large, 1, 1, 1}), "number of weights of a convolution");
  CHECK_REFUSED(plan({1, 1, 1, 4, 4, 1, 1, {large, large, large, large}}), "number of inputs of a convolution");
}
