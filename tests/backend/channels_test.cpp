// What networks do with whole channels, elements and rows besides convolving and normalizing: joins, sums over pixels,
// dropout (Srivastava et al. 2014), tables, activations (Elfwing et al. 2018, Hendrycks and Gimpel 2016), dense layers
// without bias; on every backend.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
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

constexpr double float_epsilon = static_cast<double>(std::numeric_limits<float>::epsilon());

// The largest |a - b|; infinite where one is a NaN.
double distance(const numbers& a, const numbers& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = worse(most, std::abs(a[i] - b[i]));
  return most;
}

template <class T, class Be>
void check_joining(Be& be) {
  // Blocks that agree and that do not, for any width of a register.
  for (const auto& [of_a, of_b] : {std::pair<std::size_t, std::size_t>{1, 2},
                                   {16, 16},
                                   {32, 16},
                                   {16, 3},
                                   {3, 13},
                                   {24, 8},
                                   {8, 24},
                                   {4, 12},
                                   {20, 12},
                                   {48, 64}})
    for (const std::size_t images : {std::size_t{1}, std::size_t{3}}) {
      const shape a{images, of_a, 3, 5}, b{images, of_b, 3, 5}, both{images, of_a + of_b, 3, 5};
      CAPTURE(a, b);
      const numbers x = rounded(normal_numbers(a.size(), 1)), y = rounded(normal_numbers(b.size(), 2));
      numbers joined;
      for (std::size_t n = 0; n < images; ++n) {
        const auto at = [&](const numbers& v, const shape& s, std::size_t i) {
          return v.begin() + static_cast<std::ptrdiff_t>(i * s.per_image());
        };
        joined.insert(joined.end(), at(x, a, n), at(x, a, n + 1));
        joined.insert(joined.end(), at(y, b, n), at(y, b, n + 1));
      }
      auto first = activation_of<T>(be, x, a), second = activation_of<T>(be, y, b);
      auto out = be.template make<T>(both);
      concatenate(be, first.view(), second.view(), out.view());
      CHECK(activation_values<T>(be, out.view()) == joined);
      auto first_again = be.template make<T>(a), second_again = be.template make<T>(b);
      separate(be, out.view(), first_again.view(), second_again.view());
      CHECK(values_of(be, first_again.view()) == values_of(be, first.view()));
      CHECK(values_of(be, second_again.view()) == values_of(be, second.view()));
      // One part alone.
      auto first_alone = be.template make<T>(a), second_alone = be.template make<T>(b);
      separate(be, out.view(), first_alone.view(), view_of<Be, T>{});
      separate(be, out.view(), view_of<Be, T>{}, second_alone.view());
      CHECK(values_of(be, first_alone.view()) == values_of(be, first.view()));
      CHECK(values_of(be, second_alone.view()) == values_of(be, second.view()));
    }
}

}  // namespace

TEMPLATE_TEST_CASE("channels are joined and separated", "[channels]", HOST_BACKENDS, device_under_test) {
  TestType be;
  check_joining<float>(be);
  check_joining<double>(be);
}

TEST_CASE("large images are joined in several pieces", "[channels]") {
  serial_backend serial;
  const shape part{2, 16, 41, 47}, whole{2, 32, 41, 47};
  const auto joined = [&](auto& be) {
    auto a = activation_of<float>(be, normal_numbers(part.size(), 1), part);
    auto b = activation_of<float>(be, normal_numbers(part.size(), 2), part);
    auto out = be.template make<float>(whole);
    concatenate(be, a.view(), b.view(), out.view());
    return activation_values<float>(be, out.view());
  };
  const numbers exact = joined(serial);
#if !defined(__CUDACC__)
  tbb_backend tbb{2};
  CHECK(joined(tbb) == exact);
#endif
  device_under_test device;
  CHECK(joined(device) == exact);
}

namespace {

struct channel_result {
  numbers scaled, added, spread, dots, sums, dx, dg;
  friend bool operator==(const channel_result&, const channel_result&) = default;
};

template <class T, class Be>
channel_result with_channels(Be& be, const shape& s, bool shared) {
  const shape rows{shared ? 1 : s.images, s.channels, 1, 1}, all_rows{s.images, s.channels, 1, 1};
  auto x = activation_of<T>(be, rounded(normal_numbers(s.size(), 1)), s);
  auto other = activation_of<T>(be, rounded(normal_numbers(s.size(), 2)), s);
  auto v = array_holding<T>(be, rounded(normal_numbers(rows.size(), 3)), rows);
  auto scaled = be.template make<T>(s), added = be.template make<T>(s), spread = be.template make<T>(s);
  auto dots = be.template make<T>(all_rows), sums = be.template make<T>(all_rows), dg = be.template make<T>(all_rows);
  scale_channels_forward(be, x.view(), v.view(), scaled.view());
  add_channels(be, x.view(), v.view(), added.view());
  spread_channels(be, v.view(), spread.view());
  dot_pixels(be, x.view(), other.view(), dots.view());
  sum_pixels(be, x.view(), sums.view());
  // In place, and each gradient without the other.
  auto dx = activation_of<T>(be, rounded(normal_numbers(s.size(), 2)), s);
  scale_channels_backward(be, x.view(), v.view(), dx.view(), view_of<Be, T>{}, dg.view());
  scale_channels_backward(be, x.view(), v.view(), dx.view(), dx.view(), view_of<Be, T>{});
  return {activation_values<T>(be, scaled.view()), activation_values<T>(be, added.view()),
          activation_values<T>(be, spread.view()), array_values<T>(be, dots.view()),
          array_values<T>(be, sums.view()),        activation_values<T>(be, dx.view()),
          array_values<T>(be, dg.view())};
}

}  // namespace

TEMPLATE_TEST_CASE("numbers of channels scale, shift and fill their pixels, which are summed", "[channels]",
                   HOST_BACKENDS, device_under_test) {
  TestType be;
  for (const shape& s : {shape{2, 3, 4, 5}, shape{3, 16, 7, 9}, shape{1, 48, 1, 1}, shape{2, 32, 33, 2}})
    for (const bool shared : {false, true}) {
      CAPTURE(s, shared);
      const numbers x = rounded(normal_numbers(s.size(), 1)), other = rounded(normal_numbers(s.size(), 2));
      const numbers v = rounded(normal_numbers((shared ? 1 : s.images) * s.channels, 3));
      channel_result exact{numbers(s.size()),
                           numbers(s.size()),
                           numbers(s.size()),
                           numbers(s.images * s.channels),
                           numbers(s.images * s.channels),
                           numbers(s.size()),
                           {}};
      for (std::size_t i = 0; i < s.size(); ++i) {
        const std::size_t row = i / s.plane();
        const double number = v[shared ? row % s.channels : row];
        exact.scaled[i] = x[i] * number;
        exact.added[i] = x[i] + number;
        exact.spread[i] = number;
        exact.dx[i] = other[i] * number;
        exact.dots[row] += x[i] * other[i];
        exact.sums[row] += x[i];
      }
      exact.dg = exact.dots;
      const auto check = [&](const channel_result& result, double epsilon) {
        // One rounding of numbers below 25, and sums over at most 66 pixels of products of those, in runs of 16 terms
        // with at most 17 roundings each.
        CHECK(distance(result.scaled, exact.scaled) <= 25 * epsilon);
        CHECK(distance(result.added, exact.added) <= 10 * epsilon);
        CHECK(result.spread == exact.spread);
        CHECK(distance(result.dx, exact.dx) <= 25 * epsilon);
        CHECK(distance(result.dots, exact.dots) <= 17 * 66 * epsilon);
        CHECK(distance(result.sums, exact.sums) <= 17 * 66 * epsilon);
        CHECK(distance(result.dg, exact.dg) <= 17 * 66 * epsilon);
      };
      check(with_channels<double>(be, s, shared), std::numeric_limits<double>::epsilon());
      check(with_channels<float>(be, s, shared), float_epsilon);
    }
}

namespace {

const noise_key dropout_key{11, noise_stream::dropout, 7, 3};

template <class T, class Be>
numbers dropped(Be& be, const numbers& x, const shape& s, image_range images, double probability, bool of_channels,
                const noise_key& key = dropout_key) {
  auto from = activation_of<T>(be, x, s);
  auto to = be.template make<T>(s);
  dropout(be, key, images, probability, of_channels, from.view(), to.view());
  const numbers result = activation_values<T>(be, to.view());
  dropout(be, key, images, probability, of_channels, from.view(), from.view());
  CHECK(activation_values<T>(be, from.view()) == result);  // in place
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("dropout keeps what its rule says, on every backend, in any batch", "[channels]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  for (const shape& s : {shape{3, 16, 5, 7}, shape{2, 3, 4, 5}, shape{1, 32, 32, 33}, shape{2, 16, 1, 1},
                         shape{2, 16, 2, 2}, shape{2, 5, 3, 3}, shape{1, 1, 40, 50}})
    for (const bool of_channels : {false, true})
      for (const double probability : {0.1, 0.5, 0.9}) {
        CAPTURE(s, of_channels, probability);
        const std::uint64_t first = (std::uint64_t{1} << 33) + 5;
        const numbers x = rounded(normal_numbers(s.size(), 1));
        const auto threshold = static_cast<std::uint32_t>(std::floor(probability * 0x1p32));
        numbers exact = x, in_float = x;
        for (std::size_t i = 0; i < s.size(); ++i) {
          const std::size_t n = i / s.per_image(), e = of_channels ? i % s.per_image() / s.plane() : i % s.per_image();
          const bool kept = random_words(dropout_key, first + n, static_cast<std::uint32_t>(e / 4))[e % 4] >= threshold;
          exact[i] = kept ? x[i] * (1 / (1 - probability)) : 0;
          const float scale = static_cast<float>(1 / (1 - probability));
          in_float[i] = kept ? static_cast<double>(static_cast<float>(x[i]) * scale) : 0;
        }
        CHECK(dropped<double>(be, x, s, {first, s.images}, probability, of_channels) == exact);
        CHECK(dropped<float>(be, x, s, {first, s.images}, probability, of_channels) == in_float);
        if (s.images > 1) {
          const shape rest = s.with_images(s.images - 1);
          const std::ptrdiff_t one = static_cast<std::ptrdiff_t>(s.per_image());
          CHECK(dropped<double>(be, {x.begin() + one, x.end()}, rest, {first + 1, rest.images}, probability,
                                of_channels) == numbers(exact.begin() + one, exact.end()));
        }
      }
}

TEST_CASE("dropout drops its share, and layers drop other elements", "[channels]") {
  serial_backend be;
  const shape s{20, 10, 10, 10};
  const numbers ones(s.size(), 1.0);
  const image_range images{0, s.images};
  for (const double probability : {0.1, 0.5, 0.8}) {
    const numbers y = dropped<double>(be, ones, s, images, probability, false);
    // A binomial count of 20000: within five deviations but for one time in 10^6, and the draw is fixed.
    const double share = static_cast<double>(std::count(y.begin(), y.end(), 0.0)) / static_cast<double>(s.size());
    CHECK(std::abs(share - probability) <
          5 * std::sqrt(probability * (1 - probability) / static_cast<double>(s.size())));
    // What is kept is scaled to the mean 1.
    CHECK(*std::max_element(y.begin(), y.end()) == 1 / (1 - probability));
    // Two masks agree in p^2 + (1 - p)^2 of the elements.
    const double agree = probability * probability + (1 - probability) * (1 - probability);
    for (const noise_key& other :
         {noise_key{11, noise_stream::dropout, 7, 4}, noise_key{11, noise_stream::dropout, 8, 3},
          noise_key{12, noise_stream::dropout, 7, 3}}) {
      const numbers z = dropped<double>(be, ones, s, images, probability, false, other);
      std::size_t same = 0;
      for (std::size_t i = 0; i < y.size(); ++i) same += y[i] == z[i] ? 1u : 0u;
      CHECK(std::abs(static_cast<double>(same) / static_cast<double>(s.size()) - agree) <
            5 * std::sqrt(agree * (1 - agree) / static_cast<double>(s.size())));
    }
  }
}

TEMPLATE_TEST_CASE("dropout of probability 0 copies, and one that is none is refused", "[channels]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  const shape s{2, 16, 3, 3};
  const numbers x = rounded(normal_numbers(s.size(), 1));
  CHECK(dropped<float>(be, x, s, {0, 2}, 0.0, false) == x);
  CHECK(dropped<float>(be, x, s, {0, 2}, 0.0, true) == x);
  const numbers nearly_all = dropped<float>(be, x, s, {0, 2}, std::nextafter(1.0, 0.0), false);
  CHECK(std::count(nearly_all.begin(), nearly_all.end(), 0.0) == static_cast<std::ptrdiff_t>(s.size()));
  for (const double probability : {-0.1, 1.0, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_REFUSED(dropped<float>(be, x, s, {0, 2}, probability, false), "the probability of dropout");
  }
}

TEMPLATE_TEST_CASE("rows of a table are looked up, and their gradients are added in order", "[channels]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  const shape table{7, 70, 1, 1}, chosen{6, 70, 1, 1}, one_each{6, 1, 1, 1};
  const numbers index{3, 0, -1, 3, 6, 3}, rows = rounded(normal_numbers(table.size(), 1)),
                                          d = rounded(normal_numbers(chosen.size(), 2));
  numbers looked_up(chosen.size()), gradient(table.size());
  for (std::size_t n = 0; n < 6; ++n)
    for (std::size_t e = 0; e < 70; ++e)
      if (index[n] >= 0) {
        const auto row = static_cast<std::size_t>(index[n]);
        looked_up[n * 70 + e] = rows[row * 70 + e];
        gradient[row * 70 + e] += d[n * 70 + e];
      }
  const auto check = [&]<class T>(T) {
    auto of_table = array_holding<T>(be, rows, table), of_index = array_holding<T>(be, index, one_each),
         of_d = array_holding<T>(be, d, chosen);
    auto out = be.template make<T>(chosen), dtable = be.template make<T>(table);
    gather_rows(be, of_table.view(), of_index.view(), out.view());
    CHECK(array_values<T>(be, out.view()) == looked_up);
    scatter_rows(be, of_index.view(), of_d.view(), dtable.view());
    numbers expected = gradient;
    for (double& v : expected) v = static_cast<double>(static_cast<T>(v));  // summed in double, rounded once
    CHECK(array_values<T>(be, dtable.view()) == expected);
    // No memory outside the table is read.
    auto wrong = array_holding<T>(be, {7, 1e9, -1e9, std::numeric_limits<double>::quiet_NaN(), 7.5, -0.5}, one_each);
    gather_rows(be, of_table.view(), wrong.view(), out.view());
    CHECK(array_values<T>(be, out.view()) == numbers(chosen.size()));
  };
  check(float{});
  check(double{});
}

namespace {

const std::vector<activation> every_activation{activation::none, activation::silu, activation::relu, activation::gelu,
                                               activation::gelu_tanh};

// Equal element by element, or a NaN on both sides.
bool same(const numbers& a, const numbers& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

template <class T, class Be>
numbers activated(Be& be, activation f, const numbers& z) {
  const shape s{1, 1, 1, z.size()};
  auto from = array_holding<T>(be, z, s);
  auto to = be.template make<T>(s);
  activate_forward(be, f, from.view(), to.view());
  const numbers result = array_values<T>(be, to.view());
  activate_forward(be, f, from.view(), from.view());
  CHECK(same(array_values<T>(be, from.view()), result));  // in place
  return result;
}

template <class T, class Be>
numbers activated_backward(Be& be, activation f, const numbers& z, const numbers& dy) {
  const shape s{1, 1, 1, z.size()};
  auto of_z = array_holding<T>(be, z, s), of_dy = array_holding<T>(be, dy, s);
  auto dz = be.template make<T>(s);
  activate_backward(be, f, of_z.view(), of_dy.view(), dz.view());
  const numbers result = array_values<T>(be, dz.view());
  activate_backward(be, f, of_z.view(), of_dy.view(), of_dy.view());
  CHECK(array_values<T>(be, of_dy.view()) == result);  // in place
  return result;
}

double by_definition(activation f, double z) {
  switch (f) {
    case activation::none:
      return z;
    case activation::silu:
      return z / (1 + std::exp(-z));
    case activation::relu:
      return std::max(z, 0.0);
    case activation::gelu:
      return z * std::erfc(-z / std::sqrt(2.0)) / 2;
    case activation::gelu_tanh:
      return z * (1 + std::tanh(std::sqrt(2 / M_PI) * (z + 0.044715 * z * z * z))) / 2;
  }
  return NAN;
}

}  // namespace

TEMPLATE_TEST_CASE("activations are their formulas and their gradients are slopes", "[channels]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  // Farther from 0 than the steps of the differences, for ReLU, and over the whole range where any function bends.
  numbers z = rounded(normal_numbers(301, 1));
  for (double& v : z) v = 3 * v + (v < 0 ? -0.01 : 0.01);
  z = rounded(z);
  const numbers dy = rounded(normal_numbers(z.size(), 2));
  for (const activation f : every_activation) {
    CAPTURE(static_cast<int>(f));
    numbers exact(z.size());
    for (std::size_t i = 0; i < z.size(); ++i) exact[i] = by_definition(f, z[i]);
    // Few roundings of numbers below 12.
    CHECK(distance(activated<double>(be, f, z), exact) < 1e-14);
    const numbers gradient = activated_backward<double>(be, f, z, dy);
    CHECK(slope_error([&](const numbers& at) { return sum_of_products(activated<double>(be, f, at), dy); }, z,
                      gradient) < 1e-7);
    // In float: a chain of at most 20 roundings of numbers below 12, which includes the polynomials of GELU.
    CHECK(distance(activated<float>(be, f, z), exact) < 12 * 10 * float_epsilon);
    CHECK(distance(activated_backward<float>(be, f, z, dy), gradient) < 12 * 10 * float_epsilon);
  }
}

TEMPLATE_TEST_CASE("activations stay finite at the ends of their range, and keep a NaN", "[channels]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  const numbers ends{-1e4, -200, -90, 90, 200, 1e4}, ones(ends.size(), 1.0);
  for (const activation f : {activation::silu, activation::relu, activation::gelu, activation::gelu_tanh}) {
    CAPTURE(static_cast<int>(f));
    const numbers y = activated<float>(be, f, ends), slope = activated_backward<float>(be, f, ends, ones);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      // Below 0 at most (1 + |z| + 0.22 |z|^3) exp(-87) is left, since exponentials in float end there: 4e-27.
      CHECK(std::abs(y[i] - (ends[i] < 0 ? 0 : static_cast<double>(static_cast<float>(ends[i])))) < 1e-26);
      CHECK(std::abs(slope[i] - (ends[i] < 0 ? 0 : 1)) < 1e-26);
    }
    CHECK(std::isnan(activated<float>(be, f, {std::numeric_limits<double>::quiet_NaN()})[0]));
  }
}

TEMPLATE_TEST_CASE("a dense layer does without its bias, and each gradient without the others", "[channels]",
                   HOST_BACKENDS, device_under_test) {
  TestType be;
  const auto check = [&]<class T>(T) {
    const shape in{3, 11, 1, 1}, out{3, 6, 1, 1}, weights{6, 11, 1, 1}, biases{1, 6, 1, 1};
    auto x = array_holding<T>(be, normal_numbers(in.size(), 1), in),
         w = array_holding<T>(be, normal_numbers(66, 2), weights),
         dy = array_holding<T>(be, normal_numbers(out.size(), 3), out);
    auto zero = be.template make<T>(biases), y = be.template make<T>(out), bare = be.template make<T>(out);
    linear_forward(be, x.view(), w.view(), zero.view(), y.view());
    linear_forward(be, x.view(), w.view(), view_of<TestType, T>{}, bare.view());
    CHECK(values_of(be, bare.view()) == values_of(be, y.view()));
    auto dx = be.template make<T>(in), dw = be.template make<T>(weights), db = be.template make<T>(biases);
    linear_backward(be, x.view(), w.view(), dy.view(), dx.view(), dw.view(), db.view());
    const view_of<TestType, T> none{};
    auto dx_alone = be.template make<T>(in), dw_alone = be.template make<T>(weights),
         db_alone = be.template make<T>(biases);
    linear_backward(be, x.view(), w.view(), dy.view(), dx_alone.view(), none, none);
    linear_backward(be, x.view(), w.view(), dy.view(), none, dw_alone.view(), none);
    linear_backward(be, x.view(), w.view(), dy.view(), none, none, db_alone.view());
    CHECK(values_of(be, dx_alone.view()) == values_of(be, dx.view()));
    CHECK(values_of(be, dw_alone.view()) == values_of(be, dw.view()));
    CHECK(values_of(be, db_alone.view()) == values_of(be, db.view()));
  };
  check(float{});
  check(double{});
}

TEST_CASE("operations of channels have the same bits for any threads and in any batch", "[channels]") {
  for (const shape& s : {shape{3, 16, 6, 5}, shape{2, 3, 7, 4}}) {
    device_under_test device;
    const channel_result on_device = with_channels<float>(device, s, false);
    CHECK(with_channels<float>(device, s, false) == on_device);
#if !defined(__CUDACC__)
    device_under_test backwards;
    backwards.device().backwards = true;
    CHECK(with_channels<float>(backwards, s, false) == on_device);
    tbb_backend one{1}, three{3};
    const channel_result result = with_channels<float>(one, s, true);
    CHECK(with_channels<float>(three, s, true) == result);
    const channel_result alone = with_channels<float>(three, s.with_images(1), true);
    CHECK(std::equal(alone.scaled.begin(), alone.scaled.end(), result.scaled.begin()));
    CHECK(std::equal(alone.dots.begin(), alone.dots.end(), result.dots.begin()));
    CHECK(std::equal(alone.sums.begin(), alone.sums.end(), result.sums.begin()));
#endif
  }
#if !defined(__CUDACC__)
  // Activations, where the last vector of one batch is whole in another one.
  tbb_backend tbb{2};
  const numbers z = normal_numbers(20011, 1), dy = normal_numbers(z.size(), 2);
  for (const activation f : every_activation) {
    const numbers y = activated<float>(tbb, f, z), dz = activated_backward<float>(tbb, f, z, dy);
    for (const std::ptrdiff_t count : {1, 13, 301, 8195}) {
      const numbers some{z.begin(), z.begin() + count}, of_y{y.begin(), y.begin() + count};
      CHECK(activated<float>(tbb, f, some) == of_y);
      CHECK(activated_backward<float>(tbb, f, some, {dy.begin(), dy.begin() + count}) ==
            numbers(dz.begin(), dz.begin() + count));
    }
  }
#endif
}
