// Group norm (Wu and He 2018; modulated as by Dhariwal and Nichol 2021) and layer norm over channels (Ba et al. 2016)
// on every backend: closed forms, gradients against finite differences, and the versions in float, which join moments
// (Chan et al. 1979), against the serial ones in double. With them SiLU (Elfwing et al. 2018) and the tanh form of GELU
// (Hendrycks and Gimpel 2016).
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>

#include "activations.hpp"
#include "device_under_test.hpp"
#include "refusal.hpp"
#include "slope.hpp"
#include "worse.hpp"

using namespace softscore;

namespace {

constexpr double unit_roundoff = 0x1p-24;

double largest(const numbers& a) {
  double most = 0;
  for (const double v : a) most = std::max(most, std::abs(v));
  return most;
}

double distance(const numbers& a, const numbers& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = worse(most, std::abs(a[i] - b[i]));
  }
  return most;
}

// `mean` + `deviation` times normal numbers, as floats.
numbers spread(std::size_t count, unsigned seed, double mean, double deviation) {
  numbers values = normal_numbers(count, seed);
  for (double& v : values) v = mean + deviation * v;
  return rounded(std::move(values));
}

// The rows of something given per image, or once for all, or not at all.
enum class rows { none, one, each };
std::size_t count_of(rows r, std::size_t images) { return r == rows::none ? 0 : r == rows::one ? 1 : images; }

// Inputs of a group norm in plain order; what is empty is absent.
struct group_case {
  group_norm_shape s;
  numbers x, shift, gain, bias, modulation, dy;

  explicit group_case(const group_norm_shape& of, rows shifts = rows::each, bool affine = true,
                      rows modulations = rows::each, double mean = 0.3, double deviation = 2)
      : s{of}, x{spread(s.sizes.size(), 1, mean, deviation)}, dy{spread(s.sizes.size(), 2, 0, 1)} {
    const std::size_t c = s.sizes.channels;
    shift = spread(count_of(shifts, s.sizes.images) * c, 3, 0, deviation);
    if (affine) gain = spread(c, 4, 1, 0.3), bias = spread(c, 5, 0, 0.5);
    modulation = spread(count_of(modulations, s.sizes.images) * 2 * c, 6, 0, 0.4);
  }
};

struct group_result {
  numbers y, dx, dgain, dbias, dshift, dmodulation;
  friend bool operator==(const group_result&, const group_result&) = default;
};

// An array of (rows, count), or none.
template <class T, class Be>
auto rows_of(Be& be, const numbers& values, std::size_t count) {
  return array_holding<T>(be, values, {values.empty() ? 1 : values.size() / count, count, 1, 1});
}
template <class Be, class T, class Array>
view_of<Be, const T> given(const numbers& values, const Array& array) {
  return values.empty() ? view_of<Be, const T>{} : view_of<Be, const T>{array.view()};
}

template <class T, class Be>
group_result normalize(Be& be, const group_case& c, std::size_t most_images) {
  group_norm_shape planned = c.s;
  planned.sizes.images = most_images;
  auto plan = make_group_norm<T>(be, planned);
  const shape s = c.s.sizes, per_channel{1, s.channels, 1, 1};
  auto x = activation_of<T>(be, c.x, s), dy = activation_of<T>(be, c.dy, s);
  const numbers zeros(s.channels * 2);
  const auto or_zeros = [&](const numbers& v) { return v.empty() ? zeros : v; };
  const auto shift_array = rows_of<T>(be, or_zeros(c.shift), s.channels);
  const auto gain_array = rows_of<T>(be, or_zeros(c.gain), s.channels);
  const auto bias_array = rows_of<T>(be, or_zeros(c.bias), s.channels);
  const auto modulation_array = rows_of<T>(be, or_zeros(c.modulation), 2 * s.channels);
  const auto shift = given<Be, T>(c.shift, shift_array), gain = given<Be, T>(c.gain, gain_array);
  const auto bias = given<Be, T>(c.bias, bias_array), modulation = given<Be, T>(c.modulation, modulation_array);
  auto y = be.template make<T>(s), dx = be.template make<T>(s);
  auto dgain = be.template make<T>(per_channel), dbias = be.template make<T>(per_channel);
  auto dshift = be.template make<T>({s.images, s.channels, 1, 1});
  auto dmodulation = be.template make<T>({s.images, 2 * s.channels, 1, 1});
  group_norm_forward(be, plan, x.view(), shift, gain, bias, modulation, y.view());
  group_norm_backward(be, plan, x.view(), shift, gain, bias, modulation, dy.view(), dx.view(), dgain.view(),
                      dbias.view(), dshift.view(), dmodulation.view());
  group_result result{activation_values<T>(be, y.view()), activation_values<T>(be, dx.view()),
                      array_values<T>(be, dgain.view()),  array_values<T>(be, dbias.view()),
                      array_values<T>(be, dshift.view()), array_values<T>(be, dmodulation.view())};
  // Part of the gradients, in place: what is not wanted must not change what is.
  auto in_place = activation_of<T>(be, c.dy, s);
  group_norm_backward(be, plan, x.view(), shift, gain, bias, modulation, in_place.view(), in_place.view(), {}, {}, {},
                      {});
  CHECK(activation_values<T>(be, in_place.view()) == result.dx);
  auto others = be.template make<T>({s.images, 2 * s.channels, 1, 1});
  group_norm_backward(be, plan, x.view(), shift, gain, bias, modulation, dy.view(), dx.view(), {}, {}, {},
                      others.view());
  CHECK(array_values<T>(be, others.view()) == result.dmodulation);
  group_norm_backward(be, plan, x.view(), shift, gain, bias, modulation, dy.view(), dx.view(), {}, {}, dshift.view(),
                      {});
  CHECK(array_values<T>(be, dshift.view()) == result.dshift);
  group_norm_backward(be, plan, x.view(), shift, gain, bias, modulation, dy.view(), dx.view(), dgain.view(),
                      dbias.view(), {}, {});
  CHECK(array_values<T>(be, dgain.view()) == result.dgain);
  CHECK(array_values<T>(be, dbias.view()) == result.dbias);
  // Added to others, one of which is where the sum goes; the sums of three numbers are those of the type.
  auto sum = activation_of<T>(be, result.y, s);
  const auto added = [&](const numbers& a, const numbers& b) {
    numbers total = result.dx;
    for (std::size_t k = 0; k < total.size(); ++k)
      total[k] = static_cast<T>(static_cast<T>(static_cast<T>(total[k]) + static_cast<T>(a[k])) + static_cast<T>(b[k]));
    return total;
  };
  group_norm_backward(be, plan, x.view(), shift, gain, bias, modulation, dy.view(), dx.view(), {}, {}, {}, {},
                      dy.view(), sum.view(), sum.view());
  CHECK(activation_values<T>(be, sum.view()) == added(c.dy, result.y));
  group_norm_backward(be, plan, x.view(), shift, gain, bias, modulation, dy.view(), dx.view(), {}, {}, {}, {},
                      dy.view(), {}, sum.view());
  CHECK(activation_values<T>(be, sum.view()) == added(c.dy, numbers(c.dy.size())));
  group_norm_backward(be, plan, x.view(), shift, gain, bias, modulation, dy.view(), dx.view(), {}, {}, {}, {}, {}, {},
                      sum.view());
  CHECK(activation_values<T>(be, sum.view()) == result.dx);
  group_norm_forward(be, plan, x.view(), shift, gain, bias, modulation, x.view());
  CHECK(activation_values<T>(be, x.view()) == result.y);
  return result;
}

// A gradient that all images share: the sum of its rows.
numbers sum_of_rows(const numbers& gradient, std::size_t length) {
  numbers sum(length);
  for (std::size_t i = 0; i < gradient.size(); ++i) sum[i % length] += gradient[i];
  return sum;
}

// Checks a gradient against finite differences; one that vanishes is compared with them by a bound on both.
template <class Loss>
void check_slope(const Loss& loss, const numbers& point, const numbers& gradient) {
  if (largest(gradient) > 1e-9) {
    CHECK(slope_error(loss, point, gradient) < 1e-7);
    return;
  }
  const numbers u = normal_numbers(point.size(), 9);
  numbers ahead = point, behind = point;
  for (std::size_t i = 0; i < u.size(); ++i) ahead[i] += 1e-3 * u[i], behind[i] -= 1e-3 * u[i];
  CHECK(std::abs(loss(ahead) - loss(behind)) / 2e-3 < 1e-7);
}

template <class Be>
void check_gradients(Be& be, const group_case& at) {
  CAPTURE(at.s.sizes, at.s.groups, static_cast<int>(at.s.then), at.shift.size(), at.gain.size(), at.modulation.size());
  const group_result result = normalize<double>(be, at, at.s.sizes.images);
  const auto with = [&](numbers group_case::* member) {
    return [&be, &at, member](const numbers& values) {
      group_case moved = at;
      moved.*member = values;
      return sum_of_products(normalize<double>(be, moved, at.s.sizes.images).y, at.dy);
    };
  };
  check_slope(with(&group_case::x), at.x, result.dx);
  if (!at.gain.empty()) {
    check_slope(with(&group_case::gain), at.gain, result.dgain);
    check_slope(with(&group_case::bias), at.bias, result.dbias);
  }
  if (!at.shift.empty()) check_slope(with(&group_case::shift), at.shift, sum_of_rows(result.dshift, at.shift.size()));
  if (!at.modulation.empty())
    check_slope(with(&group_case::modulation), at.modulation, sum_of_rows(result.dmodulation, at.modulation.size()));
}

}  // namespace

TEMPLATE_TEST_CASE("a group norm gives the closed form of two numbers", "[norms]", HOST_BACKENDS, device_under_test) {
  TestType be;
  const double epsilon = 0.01, d = 0.3, u = d / std::sqrt(d * d + epsilon);
  // Channels of two pixels, m - d and m + d; or channels of one pixel that a shift moves apart.
  group_case pixels{{.sizes = {1, 2, 1, 2}, .groups = 2, .epsilon = epsilon}, rows::none, false, rows::none};
  pixels.x = {5 - d, 5 + d, -7 + d, -7 - d};
  CHECK(distance(normalize<double>(be, pixels, 1).y, {-u, u, u, -u}) < 1e-13);
  group_case channels{
      {.sizes = {2, 2, 1, 1}, .groups = 1, .epsilon = epsilon, .then = activation::silu}, rows::one, true, rows::one};
  channels.x = {3, 3, -4, -4};
  channels.shift = {7 + d, 7 - d};
  channels.gain = {2, 3}, channels.bias = {0.5, -1}, channels.modulation = {0.25, -0.5, 1, 0.125};
  const double first = (2 * u + 0.5) * 1.25 + 1, second = (-3 * u - 1) * 0.5 + 0.125;
  const double a = first / (1 + std::exp(-first)), b = second / (1 + std::exp(-second));
  CHECK(distance(normalize<double>(be, channels, 2).y, {a, b, a, b}) < 1e-13);
}

TEMPLATE_TEST_CASE("the gradients of a group norm are its slopes", "[norms]", HOST_BACKENDS, device_under_test) {
  TestType be;
  for (const std::size_t groups : {1u, 2u, 3u, 6u})
    for (const shape& s : {shape{2, 6, 5, 7}, shape{3, 6, 1, 1}, shape{1, 6, 2, 3}}) {
      // Where a group has few elements, u is as good as constant unless epsilon is of the variance's size.
      check_gradients(be, group_case{{s, groups, s.plane() > 1 ? 1e-5 : 1.0, activation::silu}});
      check_gradients(be, group_case{{s, groups, 1e-2, activation::none}, rows::none, false, rows::none});
    }
  const shape s{2, 6, 3, 3};
  for (const rows shifts : {rows::none, rows::one, rows::each})
    for (const bool affine : {false, true})
      for (const rows modulations : {rows::none, rows::one, rows::each})
        check_gradients(be, group_case{{s, 2, 1e-6, activation::silu}, shifts, affine, modulations});
  for (const activation then : {activation::none, activation::gelu, activation::gelu_tanh})
    check_gradients(be, group_case{{s, 3, 1e-5, then}});
}

namespace {

// Groups that are blocks of lanes, several of them, part of one, and across two; channels in plain order; planes of one
// pixel, of odd sides, of more than a run of vectors; batches of several images.
const std::vector<group_norm_shape>& group_sizes() {
  static const std::vector<group_norm_shape> sizes{
      {{2, 32, 5, 7}, 32, 1e-5, activation::silu},   {{3, 32, 8, 8}, 1, 1e-5, activation::silu},
      {{1, 64, 16, 16}, 32, 1e-6, activation::silu}, {{2, 12, 5, 7}, 4, 1e-5, activation::silu},
      {{2, 24, 9, 3}, 8, 1e-5, activation::gelu},    {{5, 48, 1, 1}, 16, 1e-5, activation::gelu_tanh},
      {{2, 48, 13, 11}, 1, 1e-5, activation::relu},  {{3, 3, 33, 31}, 3, 1e-5, activation::none},
      {{19, 16, 4, 4}, 2, 1e-3, activation::none},   {{1, 96, 3, 5}, 32, 1e-5, activation::silu},
      {{2, 1, 1, 1}, 1, 1e-5, activation::silu},     {{1, 16, 70, 9}, 4, 1e-5, activation::silu}};
  return sizes;
}

// How far a result in float may be from that of exact arithmetic, from the same inputs, in roundings.
//
// y: five operations follow each other from x to z, each of which rounds what it leaves in z, and scale and offset are
// rounded once: below 8 roundings of |z| + |offset|. The slopes of activations are below 1.13, and they add at most 9
// roundings of the larger of z and 1. With gains near 1, 40 roundings of 2 + the largest |y| are ample.
//
// Gradients: the slope of an activation is within 6 roundings of 1 and, as its own slope is below 1, 8 of |z|. The sums
// of dz, in runs of 64 vectors in four parts, are within 18 roundings of the sum of |dz|, if all of these have one
// direction. u has at most 8 roundings. dx is the difference of three numbers, whose factors have 5 more. Together they
// are below 200 roundings of the largest terms that are added.
constexpr double of_y = 40 * unit_roundoff, of_gradients = 200 * unit_roundoff;

// The largest scale of a group, 1 / deviation.
double largest_scale(const group_case& at) {
  const shape s = at.s.sizes;
  const std::size_t width = at.s.channels_per_group(), count = width * s.plane();
  double least = INFINITY;
  for (std::size_t group = 0; group < s.images * at.s.groups; ++group) {
    numbers v(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t c = group * width + i / s.plane();  // of the batch
      v[i] = at.x[group * count + i] + (at.shift.empty() ? 0 : at.shift[c % at.shift.size()]);
    }
    double mean = 0, squares = 0;
    for (const double value : v) mean += value / static_cast<double>(count);
    for (const double value : v) squares += (value - mean) * (value - mean);
    least = std::min(least, squares / static_cast<double>(count));
  }
  return 1 / std::sqrt(least + at.s.epsilon);
}

void check_close(const group_result& fast, const group_result& exact, const group_case& at) {
  CAPTURE(at.s.sizes, at.s.groups, static_cast<int>(at.s.then), at.shift.size(), at.modulation.size());
  const double plane = static_cast<double>(at.s.sizes.plane()), images = static_cast<double>(at.s.sizes.images);
  const double gain = at.gain.empty() ? 1 : largest(at.gain), factor = 1 + largest(at.modulation);
  const double u = largest(exact.y) + 2;  // as long as gains are above a half of 1
  CHECK(distance(fast.y, exact.y) < of_y * u);
  const double dz = 1.13 * largest(at.dy), dx = dz * gain * factor * largest_scale(at);
  CHECK(distance(fast.dx, exact.dx) < of_gradients * u * dx);
  CHECK(distance(fast.dshift, exact.dshift) < of_gradients * u * dx * plane);
  CHECK(distance(fast.dmodulation, exact.dmodulation) < of_gradients * u * dz * gain * plane);
  CHECK(distance(fast.dgain, exact.dgain) < of_gradients * u * dz * factor * plane * images);
  CHECK(distance(fast.dbias, exact.dbias) < of_gradients * u * dz * factor * plane * images);
}

}  // namespace

TEMPLATE_TEST_CASE("a group norm in float is that of serial in double", "[norms]", HOST_BACKENDS, device_under_test) {
  serial_backend serial;
  TestType be;
  for (const group_norm_shape& s : group_sizes()) {
    for (const group_case& at :
         {group_case{s}, group_case{s, rows::one, true, rows::one}, group_case{s, rows::none, false, rows::none}}) {
      const group_result exact = normalize<double>(serial, at, s.sizes.images);
      check_close(normalize<float>(be, at, s.sizes.images + 2), exact, at);
    }
  }
}

TEMPLATE_TEST_CASE("a group norm keeps the digits of small deviations from a large mean", "[norms]", HOST_BACKENDS,
                   device_under_test) {
  serial_backend serial;
  TestType be;
  for (const std::size_t channels : {32u, 12u})
    for (const std::size_t groups : {1u, 4u}) {
      group_norm_shape s{{2, channels, 19, 16}, groups, 1e-5, activation::silu};
      // Input or shift of mean 1000 and deviation 0.1, or shifts that cancel the input's mean.
      group_case input{s, rows::each, true, rows::each, 1000, 0.1}, shifted{s, rows::each, true, rows::each, 0, 0.1};
      for (double& v : shifted.shift) v = static_cast<double>(static_cast<float>(1000 + v));
      group_case cancelling = input;
      for (double& v : cancelling.shift) v = static_cast<double>(static_cast<float>(v - 1000));
      for (const group_case& at : {input, shifted, cancelling}) {
        const group_result exact = normalize<double>(serial, at, 2), fast = normalize<float>(be, at, 2);
        CAPTURE(channels, groups);
        // As for a mean of 0: below 20 roundings, of numbers below 8.
        CHECK(largest(exact.y) < 8);
        CHECK(distance(fast.y, exact.y) < 1e-5);
        for (const auto& [ours, right] :
             {std::pair{&fast.dx, &exact.dx}, std::pair{&fast.dgain, &exact.dgain},
              std::pair{&fast.dbias, &exact.dbias}, std::pair{&fast.dmodulation, &exact.dmodulation}})
          CHECK(distance(*ours, *right) < 1e-5 * largest(*right));
        // Sums over a plane in which most cancels.
        CHECK(distance(fast.dshift, exact.dshift) < 1e-5 * largest(exact.dx) * static_cast<double>(s.sizes.plane()));
      }
    }
}

TEMPLATE_TEST_CASE("a group norm of a constant is its offset, and of a wild pixel finite", "[norms]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  group_case at{{.sizes = {1, 16, 9, 9}, .groups = 4}, rows::none, true, rows::none};
  std::fill(at.x.begin(), at.x.end(), 1234.567891);
  const numbers y = normalize<float>(be, at, 1).y;
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(y[i] == at.bias[i / 81]);
  serial_backend serial;
  at.x = spread(at.x.size(), 7, 0, 1);
  at.x[0] = 1e6;  // the first pixel of a channel, from which others are subtracted
  const group_result exact = normalize<double>(serial, at, 1), fast = normalize<float>(be, at, 1);
  CHECK(distance(fast.y, exact.y) < of_y * (largest(exact.y) + 2));
}

TEMPLATE_TEST_CASE("the slopes of activations are their derivatives", "[norms]", silu, relu, gelu, gelu_tanh,
                   no_activation) {
  // Away from the corner of ReLU the error of the difference is h^4 f^(5) / 30 and the rounding of f over h, 1e-12.
  for (double z = -30.05; z < 30; z += 0.1) {
    const double h = 1e-3;
    const auto f = [](double at) { return TestType::value(at); };
    const double slope = (8 * (f(z + h) - f(z - h)) - (f(z + 2 * h) - f(z - 2 * h))) / (12 * h);
    CHECK(std::abs(TestType::derivative(z) - slope) < 1e-10);
  }
  CHECK(TestType::value(0.0) == 0);
  CHECK((std::isnan(TestType::value(std::nan(""))) && std::isfinite(TestType::value(-1e6))));
  // What is left of x far out: nothing or all.
  CHECK((TestType::value(1000.0) == 1000 && TestType::derivative(1000.0) == 1));
}

#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors
TEMPLATE_TEST_CASE("tbb's activations of floats are the scalar ones of doubles", "[norms]", silu, relu, gelu, gelu_tanh,
                   no_activation) {
  constexpr std::size_t lanes = detail::native_lanes;
  for (double first = -100; first < 100; first += 0.0037 * lanes) {
    float in[lanes], values[lanes], slopes[lanes];
    for (std::size_t i = 0; i < lanes; ++i) in[i] = static_cast<float>(first + 0.0037 * static_cast<double>(i));
    const auto z = detail::load<lanes>(in);
    detail::store(values, detail::activation_value<float, lanes>(TestType{}, z));
    detail::store(slopes, detail::activation_slope<float, lanes>(TestType{}, z));
    for (std::size_t i = 0; i < lanes; ++i) {
      const double of = static_cast<double>(in[i]), exact = TestType::value(of);
      // As stated beside each of them; SiLU keeps the digits of its tail too, up to where its exponential ends.
      double most = 9 * std::max(1.0, std::abs(of));
      if (std::is_same_v<TestType, silu>) most = 4 * std::abs(exact) + 1e-28;
      CHECK(std::abs(static_cast<double>(values[i]) - exact) <= most * unit_roundoff);
      CHECK(std::abs(static_cast<double>(slopes[i]) - TestType::derivative(of)) <= 6 * unit_roundoff);
    }
  }
}
#endif

TEST_CASE("a group norm has the same bits for any number of threads, and an image those of any batch", "[norms]") {
  for (const group_norm_shape& s : group_sizes()) {
    const group_case at{s};
    group_case first = at;  // the batch's first image alone
    first.s.sizes.images = 1;
    first.x.resize(s.sizes.per_image());
    first.dy.resize(s.sizes.per_image());
    first.shift.resize(s.sizes.channels);
    first.modulation.resize(2 * s.sizes.channels);
    const auto check = [&](const group_result& result, const group_result& alone) {
      CHECK(std::equal(alone.y.begin(), alone.y.end(), result.y.begin()));
      CHECK(std::equal(alone.dx.begin(), alone.dx.end(), result.dx.begin()));
      CHECK(std::equal(alone.dshift.begin(), alone.dshift.end(), result.dshift.begin()));
      CHECK(std::equal(alone.dmodulation.begin(), alone.dmodulation.end(), result.dmodulation.begin()));
    };
    CAPTURE(s.sizes, s.groups);
#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors
    tbb_backend one{1}, two{2}, three{3};
    const group_result result = normalize<float>(one, at, s.sizes.images);
    CHECK(normalize<float>(two, at, s.sizes.images + 20) == result);
    CHECK(normalize<float>(three, at, s.sizes.images) == result);
    check(result, normalize<float>(three, first, 1));
    device_under_test backwards;
    backwards.device().backwards = true;
    device_under_test device;
    CHECK(normalize<float>(backwards, at, s.sizes.images) == normalize<float>(device, at, s.sizes.images));
#else
    device_under_test device;
    CHECK(normalize<float>(device, at, s.sizes.images) == normalize<float>(device, at, s.sizes.images));
#endif
    check(normalize<float>(device, at, s.sizes.images + 1), normalize<float>(device, first, 1));
  }
}

TEMPLATE_TEST_CASE("a group norm refuses groups that do not divide the channels", "[norms]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  CHECK_REFUSED(make_group_norm<float>(be, {.sizes = {1, 12, 2, 2}, .groups = 8}),
                "channels is 12, but it must be a multiple of groups, which is 8");
  CHECK_REFUSED(make_group_norm<float>(be, {.sizes = {1, 12, 2, 2}, .groups = 0}), "groups is 0");
  CHECK_REFUSED(make_group_norm<float>(be, {.sizes = {1, 12, 2, 2}, .epsilon = -1}), "epsilon is -1");
  CHECK_REFUSED(make_group_norm<float>(be, {.sizes = {0, 12, 2, 2}}), "at least 1 in every direction");
  CHECK_REFUSED(make_layer_norm<float>(be, shape{1, 0, 2, 2}, 1e-5), "at least 1 in every direction");
  CHECK_REFUSED(make_layer_norm<float>(be, shape{1, 3, 2, 2}, NAN), "epsilon is nan");
}

namespace {

// Inputs of a layer norm in plain order; gain and bias may be absent.
struct layer_case {
  shape s;
  numbers x, gain, bias, dy;
  double epsilon{1e-5};

  explicit layer_case(const shape& sizes, bool affine = true, double mean = 0.3, double deviation = 2)
      : s{sizes}, x{spread(s.size(), 1, mean, deviation)}, dy{spread(s.size(), 2, 0, 1)} {
    if (affine) gain = spread(s.channels, 3, 1, 0.3), bias = spread(s.channels, 4, 0, 0.5);
  }
};

struct layer_result {
  numbers y, dx, dgain, dbias;
  friend bool operator==(const layer_result&, const layer_result&) = default;
};

template <class T, class Be>
layer_result normalize(Be& be, const layer_case& c, std::size_t most_images) {
  auto plan = make_layer_norm<T>(be, c.s.with_images(most_images), c.epsilon);
  const shape per_channel{1, c.s.channels, 1, 1};
  auto x = activation_of<T>(be, c.x, c.s), dy = activation_of<T>(be, c.dy, c.s);
  const numbers zeros(c.s.channels);
  const auto gain_array = rows_of<T>(be, c.gain.empty() ? zeros : c.gain, c.s.channels);
  const auto bias_array = rows_of<T>(be, c.bias.empty() ? zeros : c.bias, c.s.channels);
  const auto gain = given<Be, T>(c.gain, gain_array), bias = given<Be, T>(c.bias, bias_array);
  auto y = be.template make<T>(c.s), dx = be.template make<T>(c.s);
  auto dgain = be.template make<T>(per_channel), dbias = be.template make<T>(per_channel);
  layer_norm_forward(be, plan, x.view(), gain, bias, y.view());
  layer_norm_backward(be, plan, x.view(), gain, bias, dy.view(), dx.view(), dgain.view(), dbias.view());
  layer_result result{activation_values<T>(be, y.view()), activation_values<T>(be, dx.view()),
                      array_values<T>(be, dgain.view()), array_values<T>(be, dbias.view())};
  // In place, without the rest and with it.
  auto in_place = activation_of<T>(be, c.dy, c.s);
  layer_norm_backward(be, plan, x.view(), gain, bias, in_place.view(), in_place.view(), {}, {});
  CHECK(activation_values<T>(be, in_place.view()) == result.dx);
  layer_norm_backward(be, plan, x.view(), gain, bias, dy.view(), dy.view(), dgain.view(), dbias.view());
  CHECK(activation_values<T>(be, dy.view()) == result.dx);
  CHECK(array_values<T>(be, dgain.view()) == result.dgain);
  CHECK(array_values<T>(be, dbias.view()) == result.dbias);
  layer_norm_forward(be, plan, x.view(), gain, bias, x.view());
  CHECK(activation_values<T>(be, x.view()) == result.y);
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("a layer norm gives the closed form of two numbers", "[norms]", HOST_BACKENDS, device_under_test) {
  TestType be;
  layer_case at{{1, 2, 1, 2}};
  const double d = 0.3, u = d / std::sqrt(d * d + 0.01);
  at.epsilon = 0.01;
  at.x = {5 - d, -7 + d, 5 + d, -7 - d};
  at.gain = {2, 3}, at.bias = {0.5, -1};
  CHECK(distance(normalize<double>(be, at, 1).y, {-2 * u + 0.5, 2 * u + 0.5, 3 * u - 1, -3 * u - 1}) < 1e-13);
}

TEMPLATE_TEST_CASE("the gradients of a layer norm are its slopes", "[norms]", HOST_BACKENDS, device_under_test) {
  TestType be;
  for (const shape& s : {shape{2, 6, 5, 7}, shape{3, 17, 1, 1}, shape{1, 5, 3, 3}})
    for (const bool affine : {false, true}) {
      const layer_case at{s, affine};
      const layer_result result = normalize<double>(be, at, s.images);
      const auto with = [&](numbers layer_case::* member) {
        return [&, member](const numbers& values) {
          layer_case moved = at;
          moved.*member = values;
          return sum_of_products(normalize<double>(be, moved, s.images).y, at.dy);
        };
      };
      CAPTURE(s, affine);
      check_slope(with(&layer_case::x), at.x, result.dx);
      if (!affine) continue;
      check_slope(with(&layer_case::gain), at.gain, result.dgain);
      check_slope(with(&layer_case::bias), at.bias, result.dbias);
    }
}

TEMPLATE_TEST_CASE("a layer norm in float is that of serial in double, for any mean", "[norms]", HOST_BACKENDS,
                   device_under_test) {
  serial_backend serial;
  TestType be;
  for (const shape& s : {shape{2, 32, 5, 7}, shape{1, 384, 4, 4}, shape{3, 12, 5, 7}, shape{2, 24, 1, 1},
                         shape{1, 16, 17, 16}, shape{18, 48, 2, 3}, shape{1, 300, 3, 9}})
    for (const double mean : {0.0, 1000.0}) {
      const layer_case at{s, mean == 0, mean, mean == 0 ? 1 : 0.1};
      const layer_result exact = normalize<double>(serial, at, s.images);
      const layer_result fast = normalize<float>(be, at, s.images + 2);
      CAPTURE(s, mean);
      // As for a group norm.
      const double u = largest(exact.y) + 2, images = static_cast<double>(s.images * s.plane());
      CHECK(distance(fast.y, exact.y) < std::min(of_y * u, 1e-5));
      CHECK(distance(fast.dx, exact.dx) < of_gradients * u * largest(exact.dx));
      CHECK(distance(fast.dgain, exact.dgain) < of_gradients * u * largest(at.dy) * images);
      CHECK(distance(fast.dbias, exact.dbias) < of_gradients * u * largest(at.dy) * images);
    }
}

TEST_CASE("a layer norm has the same bits for any number of threads, and an image those of any batch", "[norms]") {
  for (const shape& s : {shape{3, 32, 5, 7}, shape{2, 12, 17, 16}, shape{2, 64, 20, 20}}) {
    const layer_case at{s};
    layer_case first = at;
    first.s.images = 1;
    first.x.resize(s.per_image());
    first.dy.resize(s.per_image());
    const auto check = [&](const layer_result& result, const layer_result& alone) {
      CHECK(std::equal(alone.y.begin(), alone.y.end(), result.y.begin()));
      CHECK(std::equal(alone.dx.begin(), alone.dx.end(), result.dx.begin()));
    };
    CAPTURE(s);
#if !defined(__CUDACC__)
    tbb_backend one{1}, three{3};
    const layer_result result = normalize<float>(one, at, s.images);
    CHECK(normalize<float>(three, at, s.images + 20) == result);
    check(result, normalize<float>(three, first, 1));
    device_under_test backwards;
    backwards.device().backwards = true;
    device_under_test device;
    CHECK(normalize<float>(backwards, at, s.images) == normalize<float>(device, at, s.images));
#else
    device_under_test device;
    CHECK(normalize<float>(device, at, s.images) == normalize<float>(device, at, s.images));
#endif
    check(normalize<float>(device, at, s.images + 1), normalize<float>(device, first, 1));
  }
}
