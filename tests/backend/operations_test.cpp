// Every operation of networks on every backend: gradients against finite differences, and the fast versions in float
// (Lavin and Gray 2016) against the serial ones in double.
#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>

#include "activations.hpp"
#include "device_under_test.hpp"
#include "refusal.hpp"
#include "slope.hpp"
#include "worse.hpp"
#if !defined(__CUDACC__)
#include "winograd_magnifications.hpp"
#endif

using namespace softscore;

namespace {

// Inputs, output gradient and results of one convolution, in plain order.
struct conv_case {
  conv2d_shape s;
  numbers x, weight, bias, dy;

  explicit conv_case(const conv2d_shape& sizes)
      : s{sizes},
        x{normal_numbers(s.input(s.images).size(), 1)},
        weight{normal_numbers(s.weight().size(), 2)},
        bias{normal_numbers(s.out_channels, 3)},
        dy{normal_numbers(s.output(s.images).size(), 4)} {}
};

struct conv_result {
  numbers y, dx, dweight, dbias;
  friend bool operator==(const conv_result&, const conv_result&) = default;
};

template <class T, class Be, class Plan>
conv_result convolve(Be& be, const conv_case& c, Plan plan) {
  const shape in = c.s.input(c.s.images), out = c.s.output(c.s.images), per_channel{1, c.s.out_channels, 1, 1};
  auto x = activation_of<T>(be, c.x, in), dy = activation_of<T>(be, c.dy, out);
  auto weight = array_holding<T>(be, c.weight, c.s.weight()), bias = array_holding<T>(be, c.bias, per_channel);
  auto y = be.template make<T>(out), dx = be.template make<T>(in);
  auto dweight = be.template make<T>(c.s.weight()), dbias = be.template make<T>(per_channel);
  conv2d_prepare(be, plan, weight.view());
  conv2d_forward(be, plan, x.view(), weight.view(), bias.view(), y.view());
  conv2d_backward(be, plan, x.view(), weight.view(), dy.view(), dx.view(), dweight.view(), dbias.view());
  // Again without one or the other: what is not wanted must not change what is.
  auto dx_alone = be.template make<T>(in);
  conv2d_backward(be, plan, x.view(), weight.view(), dy.view(), dx_alone.view(), {}, {});
  CHECK(array_values<T>(be, dx_alone.view()) == array_values<T>(be, dx.view()));
  auto dweight_alone = be.template make<T>(c.s.weight());
  auto dbias_alone = be.template make<T>(per_channel);
  conv2d_backward(be, plan, x.view(), weight.view(), dy.view(), {}, dweight_alone.view(), dbias_alone.view());
  CHECK(array_values<T>(be, dweight_alone.view()) == array_values<T>(be, dweight.view()));
  CHECK(array_values<T>(be, dbias_alone.view()) == array_values<T>(be, dbias.view()));
  return {activation_values<T>(be, y.view()), activation_values<T>(be, dx.view()), array_values<T>(be, dweight.view()),
          array_values<T>(be, dbias.view())};
}

template <class T, class Be>
conv_result convolve(Be& be, const conv_case& c, std::size_t most_images) {
  conv2d_shape planned = c.s;
  planned.images = most_images;
  return convolve<T>(be, c, make_conv2d<T>(be, planned));
}

// The largest |a - b| over `scale`.
double distance(const numbers& a, const numbers& b, double scale) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = worse(most, std::abs(a[i] - b[i]));
  }
  return most / scale;
}

double length(const numbers& a, std::size_t from, std::size_t count) {
  double sum = 0;
  for (std::size_t i = from; i < from + count; ++i) sum += a[i] * a[i];
  return std::sqrt(sum);
}

// A sum of n products, of numbers rounded by u, in any order and in float32: the roundings are independent enough that
// their sum stays below 8 sqrt(n) u times the sum of |products| (Higham and Mary, SIAM J. Sci. Comput. 2019,
// Theorem 2.4, lambda = 8), and that sum is below the product of the lengths of the factors. A transform of length L,
// its inverse and the transform of the other factor have 6 log2 L stages, each rounding by 3 u or less of the length:
// below 8 sqrt(n) + 100 for every L here.
constexpr double unit_roundoff = 0x1p-24;
double bound(std::size_t products) { return (8 * std::sqrt(static_cast<double>(products)) + 100) * unit_roundoff; }

const std::vector<conv2d_shape>& conv_sizes() {
  // images, in, out, height, width, kernel: plain, one block or more on either side, every kernel, odd images.
  static const std::vector<conv2d_shape> sizes{{1, 1, 16, 28, 28, 7},
                                               {3, 16, 32, 28, 28, 7},
                                               {17, 32, 16, 28, 28, 7},
                                               {2, 16, 1, 28, 28, 3},
                                               {3, 1, 1, 5, 4, 3},
                                               {2, 3, 5, 7, 9, 5},
                                               {1, 16, 16, 9, 13, 7},
                                               {2, 16, 16, 32, 30, 5},
                                               {2, 16, 48, 11, 8, 3},
                                               {3, 3, 16, 10, 7, 5},
                                               {2, 16, 3, 6, 11, 7},
                                               {2, 16, 16, 5, 5, 1},
                                               {1, 32, 16, 1, 3, 7},
                                               {19, 1, 16, 8, 8, 3},
                                               {1, 16, 16, 40, 33, 9},
                                               {2, 64, 16, 12, 12, 7},
                                               // Batches that are summed in several slots and groups of them.
                                               {70, 16, 16, 5, 4, 5},
                                               {150, 16, 16, 3, 3, 5},
                                               {70, 16, 32, 3, 5, 3},
                                               // Strides, also past the kernel and the image.
                                               {2, 3, 5, 7, 9, 5, 2},
                                               {2, 1, 16, 9, 6, 3, 2},
                                               {3, 16, 32, 8, 8, 3, 2},
                                               {2, 32, 16, 5, 11, 1, 2},
                                               {2, 16, 3, 7, 7, 5, 3},
                                               {1, 16, 16, 2, 3, 1, 5},
                                               // Large kernels that no transform takes.
                                               {2, 5, 6, 9, 10, 7, 2},
                                               {1, 2, 5, 11, 8, 9, 3},
                                               {1, 2, 5, 3, 80, 7},
                                               // 3 x 3 and 1 x 1, in tiles that do and do not fit the plane.
                                               {2, 16, 32, 16, 16, 3},
                                               {3, 48, 16, 9, 6, 3},
                                               {17, 16, 16, 1, 2, 3},
                                               {2, 32, 32, 5, 4, 3},
                                               {18, 48, 32, 7, 31, 1}};
  return sizes;
}

}  // namespace

TEMPLATE_TEST_CASE("the gradients of a convolution are its slopes", "[operations]", HOST_BACKENDS, device_under_test) {
  TestType be;
  for (const conv2d_shape& s :
       {conv2d_shape{2, 2, 3, 5, 7, 3}, conv2d_shape{3, 1, 2, 6, 5, 7}, conv2d_shape{1, 3, 1, 4, 4, 1},
        conv2d_shape{17, 2, 2, 3, 6, 5}, conv2d_shape{2, 2, 3, 5, 6, 3, 2}, conv2d_shape{1, 2, 2, 7, 4, 1, 3}}) {
    const conv_case at{s};
    const conv_result result = convolve<double>(be, at, s.images);
    const auto loss = [&](const conv_case& c) { return sum_of_products(convolve<double>(be, c, s.images).y, c.dy); };
    const auto with = [&](numbers conv_case::* member) {
      return [&, member](const numbers& values) {
        conv_case moved = at;
        moved.*member = values;
        return loss(moved);
      };
    };
    CAPTURE(s.images, s.in_channels, s.out_channels, s.height, s.width, s.kernel.height);
    CHECK(slope_error(with(&conv_case::x), at.x, result.dx) < 1e-7);
    CHECK(slope_error(with(&conv_case::weight), at.weight, result.dweight) < 1e-7);
    CHECK(slope_error(with(&conv_case::bias), at.bias, result.dbias) < 1e-7);
  }
}

#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors
namespace {

// Every method that can do these sizes, and what the planner takes. Plain loops take long where there is more to do
// than they are ever planned for, and are left out.
std::vector<conv2d_method> methods_for(const conv2d_shape& s) {
  const bool large = s.images * s.weight().size() * s.output(1).plane() > 5'000'000;
  std::vector<conv2d_method> methods;
  for (std::size_t k = large ? 2 : 1; k < detail::conv2d_methods; ++k)
    if (detail::serves(static_cast<conv2d_method>(k), s)) methods.push_back(static_cast<conv2d_method>(k));
  return methods;
}

conv_result convolve_by(conv2d_method method, tbb_backend& be, const conv_case& c, std::size_t most_images) {
  conv2d_shape planned = c.s;
  planned.images = most_images;
  auto plan = make_conv2d<float>(be, planned, {}, method);
  CHECK(plan.chosen() == method);
  return convolve<float>(be, c, std::move(plan));
}

}  // namespace

TEST_CASE("tbb convolves in float as serial does in double, by every method", "[operations]") {
  serial_backend serial;
  const magnifications winograd;
  for (const conv2d_shape& s : conv_sizes()) {
    const conv_case at{s};
    const conv_result exact = convolve<double>(serial, at, s.images);
    const std::size_t plane = s.height * s.width, places = s.out_height() * s.out_width(), taps = s.kernel.taps();
    // The greatest product of lengths over images and channels, times the number of channels that are added.
    double of_x = 0, of_dy = 0, of_weight = 0;
    for (std::size_t i = 0; i < at.x.size(); i += plane) of_x = std::max(of_x, length(at.x, i, plane));
    for (std::size_t i = 0; i < at.dy.size(); i += places) of_dy = std::max(of_dy, length(at.dy, i, places));
    for (std::size_t i = 0; i < at.weight.size(); i += taps)
      of_weight = std::max(of_weight, length(at.weight, i, taps));
    const double in = static_cast<double>(s.in_channels), out = static_cast<double>(s.out_channels);
    const double images = static_cast<double>(s.images);
    for (const conv2d_method method : methods_for(s))
      for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
        tbb_backend tbb{threads};
        const conv_result fast = convolve_by(method, tbb, at, s.images + 3);
        CAPTURE(threads, detail::name_of(method), s.images, s.in_channels, s.out_channels, s.height, s.width,
                s.kernel.height, s.stride);
        const bool by_tiles = method == conv2d_method::winograd;
        const double of_output = by_tiles ? winograd.output : 1;
        // Tiles of 6 x 6 inputs overlap: together they are 1.5 times as long as the plane.
        const double of_weights = by_tiles ? 1.5 * winograd.weights : 1;
        CHECK(distance(fast.y, exact.y, in * of_x * of_weight) < of_output * bound(s.in_channels * taps));
        CHECK(distance(fast.dx, exact.dx, out * of_dy * of_weight) < of_output * bound(s.out_channels * taps));
        CHECK(distance(fast.dweight, exact.dweight, images * of_x * of_dy) < of_weights * bound(s.images * places));
        CHECK(distance(fast.dbias, exact.dbias, images * std::sqrt(static_cast<double>(places)) * of_dy) <
              bound(s.images * places));
      }
  }
}
#endif

TEST_CASE("a device convolves in float as serial does in double, and to the same bits again", "[operations]") {
  serial_backend serial;
  device_under_test device;
  for (const conv2d_shape& s : conv_sizes()) {
    const conv_case at{s};
    const conv_result exact = convolve<double>(serial, at, s.images);
    const std::size_t plane = s.height * s.width, places = s.out_height() * s.out_width(), taps = s.kernel.taps();
    double of_x = 0, of_dy = 0, of_weight = 0;
    for (std::size_t i = 0; i < at.x.size(); i += plane) of_x = std::max(of_x, length(at.x, i, plane));
    for (std::size_t i = 0; i < at.dy.size(); i += places) of_dy = std::max(of_dy, length(at.dy, i, places));
    for (std::size_t i = 0; i < at.weight.size(); i += taps)
      of_weight = std::max(of_weight, length(at.weight, i, taps));
    const double in = static_cast<double>(s.in_channels), out = static_cast<double>(s.out_channels);
    const double images = static_cast<double>(s.images);
    const conv_result fast = convolve<float>(device, at, s.images + 3);
    CAPTURE(s.images, s.in_channels, s.out_channels, s.height, s.width, s.kernel.height, s.stride);
    CHECK(distance(fast.y, exact.y, in * of_x * of_weight) < bound(s.in_channels * taps));
    CHECK(distance(fast.dx, exact.dx, out * of_dy * of_weight) < bound(s.out_channels * taps));
    CHECK(distance(fast.dweight, exact.dweight, images * of_x * of_dy) < bound(s.images * places));
    CHECK(distance(fast.dbias, exact.dbias, images * std::sqrt(static_cast<double>(places)) * of_dy) <
          bound(s.images * places));
    CHECK(convolve<float>(device, at, s.images) == fast);
#if !defined(__CUDACC__)  // on the emulated device: in whatever order the threads run
    device_under_test backwards;
    backwards.device().backwards = true;
    CHECK(convolve<float>(backwards, at, s.images) == fast);
#endif
  }
}

TEST_CASE("a device convolves batches of more images than it transforms at once", "[operations]") {
  serial_backend serial;
  device_under_test device;
  const conv_case at{conv2d_shape{300, 2, 3, 3, 4, 5}};
  const conv_result exact = convolve<double>(serial, at, at.s.images), same = convolve<double>(device, at, at.s.images);
  // Sums of at most 300 x 12 products of normal numbers, in double.
  CHECK(distance(same.y, exact.y, 1) < 1e-12);
  CHECK(distance(same.dx, exact.dx, 1) < 1e-12);
  CHECK(distance(same.dweight, exact.dweight, 1) < 1e-10);
  CHECK(distance(same.dbias, exact.dbias, 1) < 1e-10);
}

#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors
TEST_CASE("Winograd's transforms correlate four places with three taps, and back", "[operations]") {
  using detail::winograd;
  const numbers random = normal_numbers(13, 1);
  float d[6], g[3], dy[4], v[6], u[6], m[6], y[4], dg[3];
  for (std::size_t i = 0; i < 6; ++i) d[i] = static_cast<float>(random[i]);
  for (std::size_t i = 0; i < 3; ++i) g[i] = static_cast<float>(random[6 + i]);
  for (std::size_t i = 0; i < 4; ++i) dy[i] = static_cast<float>(random[9 + i]);
  winograd::data(d, v);
  winograd::kernel(g, u);
  for (std::size_t i = 0; i < 6; ++i) m[i] = u[i] * v[i];
  winograd::output(m, y);
  // At most 30 roundings, of numbers that grow from the data by less than the root of the magnification, which is 10.
  const double rounding = 30 * 10 * unit_roundoff * length(random, 0, 6);
  for (std::size_t k = 0; k < 4; ++k) {
    double exact = 0;
    for (std::size_t i = 0; i < 3; ++i) exact += static_cast<double>(g[i]) * static_cast<double>(d[k + i]);
    CHECK_THAT(static_cast<double>(y[k]), Catch::Matchers::WithinAbs(exact, rounding * length(random, 6, 3)));
  }
  winograd::output_adjoint(dy, m);
  for (std::size_t i = 0; i < 6; ++i) m[i] *= v[i];
  winograd::kernel_adjoint(m, dg);
  for (std::size_t i = 0; i < 3; ++i) {
    double exact = 0;
    for (std::size_t k = 0; k < 4; ++k) exact += static_cast<double>(dy[k]) * static_cast<double>(d[k + i]);
    CHECK_THAT(static_cast<double>(dg[i]), Catch::Matchers::WithinAbs(exact, rounding * length(random, 9, 4)));
  }
  // Far below what the usual points 1 and 2 give, 381.
  CHECK(magnifications{}.output < 94);
}

namespace {

// The greatest mean of a row or a column of twiddles, of lengths less 1 and without sign.
template <detail::fft_sign Sign, std::size_t N>
double imbalance() {
  const detail::twiddle_table<Sign, N>& table = detail::twiddles<Sign, N>;
  double most = 0;
  for (const double row : table.of_row) most = std::max(most, std::abs(row) / table.inner);
  for (const double column : table.of_column) most = std::max(most, std::abs(column) / table.outer);
  return most;
}

// a = (1 + gain) b + rest: the gain, and the rest's part in it that is chance, were the entries of the rest
// independent.
struct gain_of {
  double gain, chance;

  gain_of(const numbers& a, const numbers& b) {
    double rest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) rest += (a[i] - b[i]) * (a[i] - b[i]);
    const double of_b = sum_of_products(b, b);
    gain = sum_of_products(a, b) / of_b - 1;
    chance = std::sqrt(rest / of_b / static_cast<double>(a.size()));
  }
};

}  // namespace

TEST_CASE("a convolution by transforms is neither greater nor smaller than it should be", "[operations]") {
  // Roots rounded to nearest would give 0.4 of a roundoff.
  using enum detail::fft_sign;
  CHECK(std::max({imbalance<forward, 16>(), imbalance<forward, 32>(), imbalance<forward, 64>(),
                  imbalance<inverse, 16>(), imbalance<inverse, 32>(), imbalance<inverse, 64>()}) < unit_roundoff / 7);
  serial_backend serial;
  tbb_backend tbb;
  for (const conv2d_shape& s : conv_sizes()) {
    const conv_case at{s};
    const conv_result exact = convolve<double>(serial, at, s.images);
    for (const conv2d_method method : methods_for(s)) {
      if (method < conv2d_method::transform_16) continue;
      const conv_result fast = convolve_by(method, tbb, at, s.images);
      CAPTURE(detail::name_of(method), s.images, s.in_channels, s.out_channels, s.height, s.width, s.kernel.height);
      for (const auto& [ours, right] :
           {std::pair{&fast.y, &exact.y}, std::pair{&fast.dx, &exact.dx}, std::pair{&fast.dweight, &exact.dweight}}) {
        const gain_of g{*ours, *right};
        // At worst all six transforms lean as a row or a column does.
        CHECK(std::abs(g.gain) < 6 * unit_roundoff / 7 + 5 * g.chance);
      }
    }
  }
}

TEST_CASE("a convolution has the same bits for any number of threads, and an image those of any batch, by every method",
          "[operations]") {
  for (const conv2d_shape& s : conv_sizes()) {
    const conv_case at{s};
    conv_case first = at;  // the batch's first image alone
    first.s.images = 1;
    first.x.resize(s.input(1).size());
    first.dy.resize(s.output(1).size());
    for (const conv2d_method method : methods_for(s)) {
      CAPTURE(detail::name_of(method), s.images, s.in_channels, s.out_channels, s.height, s.width, s.kernel.height,
              s.stride);
      tbb_backend one{1}, two{2}, three{3};
      const conv_result result = convolve_by(method, one, at, s.images);
      CHECK(convolve_by(method, two, at, s.images + 20) == result);
      CHECK(convolve_by(method, three, at, s.images) == result);
      const conv_result alone = convolve_by(method, two, first, 1);
      CHECK(std::equal(alone.y.begin(), alone.y.end(), result.y.begin()));
      CHECK(std::equal(alone.dx.begin(), alone.dx.end(), result.dx.begin()));
    }
  }
}

TEST_CASE("the planner takes one method for every batch, which can be asked for and overridden", "[operations]") {
  tbb_backend be;
  // Wide enough for any register.
  const conv2d_shape large{1, 32, 32, 28, 28, 7}, small{1, 64, 64, 32, 32, 3}, point{1, 64, 64, 16, 16, 1},
      first{1, 1, 16, 28, 28, 7}, huge{1, 16, 16, 100, 100, 7}, wide{1, 32, 32, 100, 100, 7},
      strided{1, 16, 16, 28, 28, 3, 2}, odd{1, 3, 5, 8, 8, 3};
  CHECK(make_conv2d<float>(be, large).chosen() == conv2d_method::transform_32);
  CHECK(make_conv2d<float>(be, small).chosen() == conv2d_method::winograd);
  CHECK(make_conv2d<float>(be, point).chosen() == conv2d_method::pointwise);
  CHECK(make_conv2d<float>(be, first).chosen() == conv2d_method::direct);
  CHECK(make_conv2d<float>(be, huge).chosen() == conv2d_method::transform_32);
  CHECK(make_conv2d<float>(be, wide).chosen() == conv2d_method::transform_32);
  CHECK(make_conv2d<float>(be, strided).chosen() == conv2d_method::direct);
  CHECK(make_conv2d<float>(be, odd).chosen() == conv2d_method::plain);
  CHECK(make_conv2d<double>(be, large).chosen() == conv2d_method::plain);
  CHECK(make_conv2d<float>(be, large).describe() == "transform of length 32");
  for (conv2d_shape s : conv_sizes()) {
    const conv2d_method method = conv2d_plan(s);
    for (const std::size_t images : {std::size_t{1}, std::size_t{7}, std::size_t{512}}) {
      s.images = images;
      CHECK(conv2d_plan(s) == method);
    }
  }
  CHECK(make_conv2d<float>(be, large, {}, conv2d_method::direct).chosen() == conv2d_method::direct);
  CHECK_REFUSED((make_conv2d<float>(be, strided, {}, conv2d_method::winograd)), "the method of a convolution");
  CHECK_THROWS_AS(make_conv2d<double>(be, large, {}, conv2d_method::direct), error);
}
#endif

TEMPLATE_TEST_CASE("a convolution refuses sizes that it cannot have", "[operations]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  CHECK_THROWS_AS(make_conv2d<float>(be, {1, 1, 1, 4, 4, 2}), error);
  CHECK_THROWS_AS(make_conv2d<float>(be, {0, 1, 1, 4, 4, 3}), error);
  CHECK_THROWS_AS(make_conv2d<float>(be, {1, 0, 1, 4, 4, 3}), error);
  CHECK_THROWS_AS(make_conv2d<float>(be, {1, 1, 1, 0, 4, 3}), error);
  CHECK_THROWS_AS(make_conv2d<float>(be, {1, 1, 1, 4, 4, 3, 0}), error);
}

namespace {

struct norm_case {
  shape s;
  numbers x, gain, bias, shift, dy;

  explicit norm_case(const shape& sizes)
      : s{sizes},
        x{normal_numbers(s.size(), 1)},
        gain{normal_numbers(s.per_image(), 2)},
        bias{normal_numbers(s.per_image(), 3)},
        shift{normal_numbers(s.images * s.channels, 4)},
        dy{normal_numbers(s.size(), 5)} {
    for (double& v : x) v = 0.3 + 2 * v;  // a mean and a variance that are not 0 and 1
  }
};

struct norm_result {
  numbers y, dx, dgain, dbias, dshift;
  friend bool operator==(const norm_result&, const norm_result&) = default;
};

template <class T, class Be>
norm_result normalize(Be& be, const norm_case& c, std::size_t most_images) {
  auto plan = make_layer_norm_gelu<T>(be, c.s.with_images(most_images));
  const shape one = c.s.with_images(1), per_channel{c.s.images, c.s.channels, 1, 1};
  auto x = activation_of<T>(be, c.x, c.s), dy = activation_of<T>(be, c.dy, c.s);
  auto gain = array_holding<T>(be, c.gain, one), bias = array_holding<T>(be, c.bias, one);
  auto shift = array_holding<T>(be, c.shift, per_channel), dshift = be.template make<T>(per_channel);
  auto y = be.template make<T>(c.s), dx = be.template make<T>(c.s);
  auto dgain = be.template make<T>(one), dbias = be.template make<T>(one);
  layer_norm_gelu_prepare(be, plan, gain.view(), bias.view());
  layer_norm_gelu_forward(be, plan, x.view(), gain.view(), bias.view(), shift.view(), y.view());
  layer_norm_gelu_backward(be, plan, x.view(), gain.view(), bias.view(), dy.view(), dx.view(), dgain.view(),
                           dbias.view(), dshift.view());
  // In place and without the rest.
  layer_norm_gelu_backward(be, plan, x.view(), gain.view(), bias.view(), dy.view(), dy.view(), {}, {}, {});
  CHECK(array_values<T>(be, dy.view()) == array_values<T>(be, dx.view()));
  // One shift for all images, and none.
  auto all_alike = be.template make<T>(c.s), unshifted = be.template make<T>(c.s);
  layer_norm_gelu_forward(be, plan, x.view(), gain.view(), bias.view(), shift.view().images(0, 1), all_alike.view());
  layer_norm_gelu_forward(be, plan, x.view(), gain.view(), bias.view(), {}, unshifted.view());
  const numbers alike = activation_values<T>(be, all_alike.view()), bare = activation_values<T>(be, unshifted.view());
  double worst = 0;  // in roundings of the sum: one for the product that GELU ends with, one for the sum
  for (std::size_t i = 0; i < alike.size(); ++i) {
    const double added = c.shift[i % c.s.per_image() / c.s.plane()];
    worst = std::max(worst, std::abs(alike[i] - (bare[i] + added)) / (std::abs(bare[i]) + std::abs(added)));
  }
  CHECK(worst <= 3 * 0.5 * static_cast<double>(std::numeric_limits<T>::epsilon()));  // the shift itself was rounded too
  return {activation_values<T>(be, y.view()), activation_values<T>(be, dx.view()), array_values<T>(be, dgain.view()),
          array_values<T>(be, dbias.view()), array_values<T>(be, dshift.view())};
}

const std::vector<shape>& norm_sizes() {
  static const std::vector<shape> sizes{{1, 1, 5, 7},  {3, 16, 28, 28}, {17, 32, 9, 5}, {2, 3, 8, 8},   {33, 16, 1, 3},
                                        {2, 48, 6, 7}, {2, 20, 4, 4},   {1, 64, 7, 7},  {2, 64, 23, 25}};
  return sizes;
}

}  // namespace

TEMPLATE_TEST_CASE("the gradients of layer norm and GELU are its slopes", "[operations]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  for (const shape& s : {shape{2, 3, 4, 5}, shape{17, 1, 3, 3}, shape{1, 16, 2, 3}}) {
    const norm_case at{s};
    const norm_result result = normalize<double>(be, at, s.images);
    const auto with = [&](numbers norm_case::* member) {
      return [&, member](const numbers& values) {
        norm_case moved = at;
        moved.*member = values;
        return sum_of_products(normalize<double>(be, moved, s.images).y, moved.dy);
      };
    };
    CAPTURE(s);
    CHECK(slope_error(with(&norm_case::x), at.x, result.dx) < 1e-7);
    CHECK(slope_error(with(&norm_case::gain), at.gain, result.dgain) < 1e-7);
    CHECK(slope_error(with(&norm_case::bias), at.bias, result.dbias) < 1e-7);
    CHECK(slope_error(with(&norm_case::shift), at.shift, result.dshift) < 1e-7);
  }
}

namespace {

// The float results of a backend against the serial ones in double.
template <class Be>
void check_normalizing(Be& be) {
  serial_backend serial;
  for (const shape& s : norm_sizes()) {
    const norm_case at{s};
    const norm_result exact = normalize<double>(serial, at, s.images), fast = normalize<float>(be, at, s.images + 1);
    CAPTURE(s);
    // Element by element a chain of at most 20 roundings, of numbers below 6 times 6 (x and gain within 6 deviations);
    // dx and the sums add those over an image or over the batch.
    const double elements = static_cast<double>(s.per_image());
    CHECK(distance(fast.y, exact.y, 36) < 20 * unit_roundoff);
    CHECK(distance(fast.dx, exact.dx, 36) < bound(s.per_image()));
    CHECK(distance(fast.dgain, exact.dgain, 36 * static_cast<double>(s.images)) < bound(s.images));
    CHECK(distance(fast.dbias, exact.dbias, 36 * static_cast<double>(s.images)) < bound(s.images));
    CHECK(distance(fast.dshift, exact.dshift, 6 * elements / static_cast<double>(s.channels)) < bound(s.plane()));
    CHECK(normalize<float>(be, at, s.images) == fast);
  }
}

}  // namespace

#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors
TEST_CASE("tbb normalizes in float as serial does in double", "[operations]") {
  tbb_backend tbb{2};
  check_normalizing(tbb);
}
#endif

TEST_CASE("a device normalizes in float as serial does in double", "[operations]") {
  device_under_test device;
  check_normalizing(device);
}

// A device sums x - x[0] and its square in one pass. Worst is an x[0] that makes all the variance: then (mean -
// x[0])^2, which is taken away, is `size` times what is left. A square goes through at most 8 + 5 * 16 additions.
TEST_CASE("a device's variance keeps its digits where the first element is far away", "[operations]") {
  device_under_test device;
  serial_backend serial;
  norm_case at{{2, 16, 28, 28}};
  at.x[0] = 1e6;
  const double roundings = 100 * static_cast<double>(at.s.per_image());
  CHECK(distance(normalize<double>(device, at, 2).y, normalize<double>(serial, at, 2).y, 36) <
        roundings * 0.5 * std::numeric_limits<double>::epsilon());
}

#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors
TEST_CASE("layer norm and GELU have the same bits for any number of threads", "[operations]") {
  for (const shape& s : norm_sizes()) {
    CAPTURE(s);
    const norm_case at{s};
    tbb_backend one{1}, two{2}, three{3};
    const norm_result result = normalize<float>(one, at, s.images);
    CHECK(normalize<float>(two, at, s.images + 20) == result);
    CHECK(normalize<float>(three, at, s.images) == result);
  }
}
#endif

TEMPLATE_TEST_CASE("GELU is exact where float can be, far out too", "[operations]", HOST_BACKENDS, device_under_test) {
  TestType be;
  // Every 1/64 from -14 to 14; GELU(-14) is below the smallest normal float. Every 1/4096 where float reaches the ends.
  numbers z, dy;
  for (int i = -14 * 64; i <= 14 * 64; ++i) z.push_back(i / 64.0);
  for (int i = 5 * 4096; i <= 13 * 2048; ++i)
    for (const double sign : {-1.0, 1.0}) z.push_back(sign * i / 4096.0);
  dy.assign(z.size(), 1);
  const shape s{1, 1, 1, z.size()};
  auto zs = array_holding<float>(be, z, s), ones = array_holding<float>(be, dy, s);
  auto y = be.template make<float>(s), dz = be.template make<float>(s);
  gelu_forward(be, zs.view(), y.view());
  gelu_backward(be, zs.view(), ones.view(), dz.view());
  const numbers values = array_values<float>(be, y.view()), slopes = array_values<float>(be, dz.view());
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double probability = 0.5 * std::erfc(-z[i] / std::sqrt(2.0));
    const double density = std::exp(-0.5 * z[i] * z[i]) / std::sqrt(2 * 3.14159265358979323846);
    CAPTURE(z[i]);
    // |z| P rounds by a few units of P + Q = 1, the tail's subtraction included.
    CHECK(std::abs(values[i] - z[i] * probability) <= 4 * unit_roundoff * std::max(1.0, std::abs(z[i])));
    CHECK(std::abs(slopes[i] - (probability + z[i] * density)) <= 8 * unit_roundoff);
    CHECK((z[i] >= 0 ? values[i] >= 0 : values[i] <= 0));
  }
}

TEMPLATE_TEST_CASE("GELU of what is far away or no number", "[operations]", HOST_BACKENDS, device_under_test) {
  TestType be;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const numbers z{-1000, 1000, nan};
  const shape s{1, 1, 1, z.size()};
  auto zs = array_holding<float>(be, z, s), ones = array_holding<float>(be, numbers(z.size(), 1), s);
  auto y = be.template make<float>(s), dz = be.template make<float>(s);
  gelu_forward(be, zs.view(), y.view());
  gelu_backward(be, zs.view(), ones.view(), dz.view());
  const numbers values = array_values<float>(be, y.view()), slopes = array_values<float>(be, dz.view());
  CHECK(values[0] == 0.0);
  CHECK(slopes[0] == 0.0);
  CHECK(values[1] == 1000.0);
  CHECK(slopes[1] == 1.0);
  CHECK(std::isnan(values[2]));  // or training would not notice
  CHECK(std::isnan(slopes[2]));
}

namespace {

struct dense_case {
  std::size_t images, inputs, outputs;
  numbers x, weight, bias, dy;

  dense_case(std::size_t n, std::size_t i, std::size_t o)
      : images{n},
        inputs{i},
        outputs{o},
        x{normal_numbers(n * i, 1)},
        weight{normal_numbers(o * i, 2)},
        bias{normal_numbers(o, 3)},
        dy{normal_numbers(n * o, 4)} {}
};

struct dense_result {
  numbers y, dx, dweight, dbias;
  friend bool operator==(const dense_result&, const dense_result&) = default;
};

template <class T, class Be>
dense_result multiply(Be& be, const dense_case& c) {
  const shape in{c.images, c.inputs, 1, 1}, out{c.images, c.outputs, 1, 1}, matrix{c.outputs, c.inputs, 1, 1};
  auto x = array_holding<T>(be, c.x, in), dy = array_holding<T>(be, c.dy, out),
       weight = array_holding<T>(be, c.weight, matrix);
  auto bias = array_holding<T>(be, c.bias, out.with_images(1)), dbias = be.template make<T>(out.with_images(1));
  auto y = be.template make<T>(out), dx = be.template make<T>(in), dweight = be.template make<T>(matrix);
  linear_forward(be, x.view(), weight.view(), bias.view(), y.view());
  linear_backward(be, x.view(), weight.view(), dy.view(), dx.view(), dweight.view(), dbias.view());
  return {array_values<T>(be, y.view()), array_values<T>(be, dx.view()), array_values<T>(be, dweight.view()),
          array_values<T>(be, dbias.view())};
}

}  // namespace

TEMPLATE_TEST_CASE("the gradients of a dense layer are its slopes", "[operations]", HOST_BACKENDS, device_under_test) {
  TestType be;
  for (const dense_case& at : {dense_case{3, 5, 4}, dense_case{1, 32, 7}, dense_case{17, 1, 1}}) {
    const dense_result result = multiply<double>(be, at);
    const auto with = [&](numbers dense_case::* member) {
      return [&, member](const numbers& values) {
        dense_case moved = at;
        moved.*member = values;
        return sum_of_products(multiply<double>(be, moved).y, moved.dy);
      };
    };
    CHECK(slope_error(with(&dense_case::x), at.x, result.dx) < 1e-7);
    CHECK(slope_error(with(&dense_case::weight), at.weight, result.dweight) < 1e-7);
    CHECK(slope_error(with(&dense_case::bias), at.bias, result.dbias) < 1e-7);
  }
}

#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors
TEST_CASE("tbb multiplies in float as serial does in double, with the same bits on any threads", "[operations]") {
  serial_backend serial;
  tbb_backend one{1}, two{2}, three{3};
  for (const dense_case& at :
       {dense_case{3, 5, 4}, dense_case{128, 128, 128}, dense_case{17, 32, 16}, dense_case{1, 128, 3}}) {
    const dense_result exact = multiply<double>(serial, at), fast = multiply<float>(two, at);
    CAPTURE(at.images, at.inputs, at.outputs);
    const double i = static_cast<double>(at.inputs), o = static_cast<double>(at.outputs),
                 n = static_cast<double>(at.images);
    // Products of normal numbers: below 25 each.
    CHECK(distance(fast.y, exact.y, 25 * i) < bound(at.inputs));
    CHECK(distance(fast.dx, exact.dx, 25 * o) < bound(at.outputs));
    CHECK(distance(fast.dweight, exact.dweight, 25 * n) < bound(at.images));
    CHECK(distance(fast.dbias, exact.dbias, 25 * n) < bound(at.images));
    CHECK(multiply<float>(one, at) == fast);
    CHECK(multiply<float>(three, at) == fast);
  }
}
#endif

TEST_CASE("on a device an image has the same bits in a batch of any size", "[operations]") {
  device_under_test device;
  // Layers on both sides of where tiles begin, the last one below where cuBLAS does, which promises no such thing.
  for (const auto& [images, inputs, outputs] :
       {std::array<std::size_t, 3>{600, 128, 128}, {600, 32, 128}, {100, 130, 140}}) {
    const dense_case all{images, inputs, outputs};
    dense_case one{1, inputs, outputs};
    one.x.assign(all.x.begin(), all.x.begin() + static_cast<std::ptrdiff_t>(inputs));
    one.dy.assign(all.dy.begin(), all.dy.begin() + static_cast<std::ptrdiff_t>(outputs));
    const dense_result alone = multiply<float>(device, one), among = multiply<float>(device, all);
    CAPTURE(inputs, outputs);
    CHECK(std::equal(alone.y.begin(), alone.y.end(), among.y.begin()));
    CHECK(std::equal(alone.dx.begin(), alone.dx.end(), among.dx.begin()));
  }
}

TEST_CASE("a device multiplies in float as serial does in double", "[operations]") {
  serial_backend serial;
  device_under_test device;
  // The last two: small with a long sum, and large with tiles that stand out.
  for (const dense_case& at : {dense_case{3, 5, 4}, dense_case{128, 128, 128}, dense_case{17, 32, 16},
                               dense_case{1, 128, 3}, dense_case{5, 300, 37}, dense_case{130, 101, 90}}) {
    const dense_result exact = multiply<double>(serial, at), fast = multiply<float>(device, at);
    CAPTURE(at.images, at.inputs, at.outputs);
    const double i = static_cast<double>(at.inputs), o = static_cast<double>(at.outputs),
                 n = static_cast<double>(at.images);
    // Products of normal numbers: below 25 each.
    CHECK(distance(fast.y, exact.y, 25 * i) < bound(at.inputs));
    CHECK(distance(fast.dx, exact.dx, 25 * o) < bound(at.outputs));
    CHECK(distance(fast.dweight, exact.dweight, 25 * n) < bound(at.images));
    CHECK(distance(fast.dbias, exact.dbias, 25 * n) < bound(at.images));
    CHECK(multiply<float>(device, at) == fast);
  }
}
