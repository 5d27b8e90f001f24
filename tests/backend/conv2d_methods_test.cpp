// Every method of the tbb backend for every shape that it serves, and the plain loops in double, against the serial
// backend and the definition of a convolution.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>

#include "convolutions.hpp"
#include "winograd_magnifications.hpp"

using namespace softscore;

namespace {

// All methods that can do it. Of the transforms only the shortest: the others take much memory for many channels.
std::vector<conv2d_method> methods_for(const conv2d_shape& s) {
  std::vector<conv2d_method> methods;
  for (std::size_t k = 1; k < detail::conv2d_methods; ++k) {
    const auto method = static_cast<conv2d_method>(k);
    const bool transforms = method >= conv2d_method::transform_16;
    if (transforms && !methods.empty() && methods.back() >= conv2d_method::transform_16) continue;
    if (transforms && s.in_channels * s.out_channels > 384 * 64) continue;  // half a gigabyte
    if (detail::serves(method, s)) methods.push_back(method);
  }
  return methods;
}

convolution_result convolve_by(conv2d_method method, tbb_backend& be, const convolution_case& c,
                               std::size_t most_images) {
  conv2d_shape planned = c.s;
  planned.images = most_images;
  auto plan = make_conv2d<float>(be, planned, {}, method);
  CHECK(plan.chosen() == method);
  return convolve<float>(be, c, std::move(plan));
}

double greatest_length(const std::vector<double>& values, std::size_t of_each) {
  double most = 0;
  for (std::size_t first = 0; first < values.size(); first += of_each) {
    double sum = 0;
    for (std::size_t i = first; i < first + of_each; ++i) sum += values[i] * values[i];
    most = std::max(most, std::sqrt(sum));
  }
  return most;
}

// Checks a result in float. A sum of n products of rounded factors, in any order, errs by less than 8 sqrt(n) u times
// the sum of their magnitudes (Higham and Mary, SIAM J. Sci. Comput. 2019, Theorem 2.4, lambda = 8), u being 2^-24.
// Tiles and transforms mix the pixels of a plane, so that their errors are relative to the lengths of planes and of
// kernels; see operations_test.cpp for how they grow.
void check(conv2d_method method, const convolution_case& c, const convolution_result& fast,
           const convolution_result& exact, const convolution_result& magnitudes) {
  const conv2d_shape& s = c.s;
  const auto number = [](std::size_t n) { return static_cast<double>(n); };
  const std::size_t places = s.output(1).plane();
  const auto bound = [&](std::size_t products) { return 8 * std::sqrt(number(products + 2)) * 0x1p-24; };
  const std::size_t of_y = s.fan_in() + 1, of_dx = s.out_channels * s.kernel.taps(), of_weight = s.images * places;
  if (method < conv2d_method::winograd) {
    CHECK(distance(fast.y, exact.y, magnitudes.y) < bound(of_y));
    CHECK(distance(fast.dx, exact.dx, magnitudes.dx) < bound(of_dx));
    CHECK(distance(fast.dweight, exact.dweight, magnitudes.dweight) < bound(of_weight));
  } else {
    static const magnifications winograd;
    const bool tiles = method == conv2d_method::winograd;
    const double output = tiles ? winograd.output : 1, weights = tiles ? 1.5 * winograd.weights : 1;
    const double x = greatest_length(c.x, s.input(1).plane()), dy = greatest_length(c.dy, places),
                 weight = greatest_length(c.weight, s.kernel.taps());
    const auto mixed = [&](std::size_t products) { return bound(products) + 100 * 0x1p-24; };
    CHECK(distance(fast.y, exact.y, number(s.in_channels) * x * weight) < output * mixed(of_y));
    CHECK(distance(fast.dx, exact.dx, number(s.out_channels) * dy * weight) < output * mixed(of_dx));
    CHECK(distance(fast.dweight, exact.dweight, number(s.images) * x * dy) < weights * mixed(of_weight));
  }
  if (method < conv2d_method::transform_16)
    CHECK(distance(fast.dbias, exact.dbias, magnitudes.dbias) < bound(of_weight));
  else
    CHECK(distance(fast.dbias, exact.dbias, magnitudes.dbias) < bound(of_weight) + 100 * 0x1p-24);
}

// The shapes of `odd_convolutions` with channels in blocks, whole or not, of any register on one side or on both.
std::vector<conv2d_shape> blocked_convolutions() {
  std::vector<conv2d_shape> sizes;
  for (conv2d_shape s : odd_convolutions())
    for (const auto& [in, out] : {std::pair<std::size_t, std::size_t>{3, 16}, {16, 5}, {32, 16}, {16, 48}, {24, 4}}) {
      s.in_channels = in;
      s.out_channels = out;
      sizes.push_back(s);
    }
  for (const auto& [in, out] : {std::pair<std::size_t, std::size_t>{1, 16}, {16, 1}, {1, 1}, {16, 16}})
    sizes.push_back({2, in, out, 28, 28, 17, 1, conv2d_padding::all(0)});
  // 'Same' in numbers, for the methods that take nothing else.
  sizes.push_back({2, 16, 32, 9, 6, 3, 1, conv2d_padding::all(1)});
  sizes.push_back({2, 32, 16, 9, 6, 1, 1, conv2d_padding::all(0)});
  sizes.push_back({2, 32, 16, 9, 6, 5, 1, conv2d_padding::all(2)});
  return sizes;
}

}  // namespace

TEST_CASE("every method convolves what it serves as serial does in double, to the same bits on any threads",
          "[operations]") {
  serial_backend serial;
  for (const conv2d_shape& s : blocked_convolutions()) {
    const convolution_case at{s};
    const convolution_result exact = plan_and_convolve<double>(serial, at, s.images),
                             magnitudes = plan_and_convolve<double>(serial, at.magnitudes(), s.images);
    const convolution_case first = at.first();
    for (const conv2d_method method : methods_for(s)) {
      CAPTURE(detail::name_of(method), text_of(s));
      tbb_backend one{1}, two{2}, three{3};
      const convolution_result fast = convolve_by(method, two, at, s.images + 3);
      check(method, at, fast, exact, magnitudes);
      CHECK(convolve_by(method, one, at, s.images) == fast);
      CHECK(convolve_by(method, three, at, s.images + 20) == fast);
      const convolution_result alone = convolve_by(method, two, first, 1);
      CHECK(std::equal(alone.y.begin(), alone.y.end(), fast.y.begin()));
      CHECK(std::equal(alone.dx.begin(), alone.dx.end(), fast.dx.begin()));
    }
    tbb_backend one{1}, three{3};
    CAPTURE(text_of(s));
    const convolution_result same = plan_and_convolve<double>(three, at, s.images);
    // Sums of at most 4624 products of normal numbers, in double.
    CHECK(distance(same.y, exact.y, 1) < 1e-11);
    CHECK(distance(same.dx, exact.dx, 1) < 1e-11);
    CHECK(distance(same.dweight, exact.dweight, 1) < 1e-11);
    CHECK(distance(same.dbias, exact.dbias, 1) < 1e-11);
    CHECK(plan_and_convolve<double>(one, at, s.images + 5) == same);
  }
}

TEST_CASE("every method convolves the sizes of U-Nets as the definition says", "[operations]") {
  std::vector<conv2d_shape> sizes;
  const auto all = [](std::size_t n) { return conv2d_padding::all(n); };
  for (const auto& [channels, side] :
       {std::pair<std::size_t, std::size_t>{32, 32}, {32, 28}, {64, 16}, {64, 14}, {128, 8}, {128, 7}, {384, 4}}) {
    sizes.push_back({2, channels, channels, side, side, 3});
    sizes.push_back({2, channels, channels, side, side, 3, 2, all(1)});
    sizes.push_back({2, channels, channels, side, side, 3, 2, {0, 0, 1, 1}});
    sizes.push_back({2, channels, channels, side, side, 1});
  }
  // More channels on one side, and the thin ends.
  sizes.push_back({1, 384, 64, 8, 8, 3});
  sizes.push_back({1, 64, 384, 7, 7, 3, 2, {0, 0, 1, 1}});
  sizes.push_back({1, 384, 128, 8, 8, 1});
  sizes.push_back({1, 32, 64, 16, 14, 4, 2, all(1)});
  sizes.push_back({2, 3, 64, 28, 32, 3});
  sizes.push_back({2, 128, 3, 16, 16, 3});
  sizes.push_back({2, 1, 128, 28, 28, 4, 4, all(0)});
  tbb_backend be{2};
  for (const conv2d_shape& s : sizes) {
    CAPTURE(text_of(s));
    const convolution_case at{s};
    // In double on tbb, which the case above compares with serial; here some numbers of each kind with the definition.
    const convolution_result exact = plan_and_convolve<double>(be, at, s.images),
                             magnitudes = plan_and_convolve<double>(be, at.magnitudes(), s.images);
    // Sums of at most 3456 products of normal numbers, in double.
    convolution_definition{at}.check(exact, (std::max)({at.x.size(), at.dy.size(), at.weight.size()}) / 50 + 1, 1e-10);
    for (const conv2d_method method : methods_for(s)) {
      CAPTURE(detail::name_of(method));
      check(method, at, convolve_by(method, be, at, s.images), exact, magnitudes);
    }
  }
}

TEST_CASE("planes are cut into few tiles of about the same size, which wrap around where nothing is read",
          "[operations]") {
  for (const std::size_t length : {std::size_t{16}, std::size_t{32}, std::size_t{64}})
    for (std::size_t radius = 0; 4 * radius <= length; ++radius)
      for (std::size_t side = 1; side < 4 * length; ++side) {
        const detail::plane_tiles tiles{side, 1, radius, length};
        CAPTURE(length, radius, side, tiles.count());
        // One tile less would have more pixels than a transform takes with their neighbors.
        const std::size_t most = length - 2 * radius;
        if (tiles.whole())
          CHECK(side + radius <= length);
        else
          CHECK(((tiles.count() - 1) * most < side && side <= tiles.count() * most));
        bool right = true;
        std::size_t covered = 0;
        for (std::size_t k = 0; k < tiles.count(); ++k) {
          const auto [rows, columns] = tiles.at(k);
          right = right && rows.first == covered && rows.count >= side / tiles.count() &&
                  rows.count <= side / tiles.count() + 1;
          covered += rows.count;
          right =
              right && rows.before == std::min(radius, rows.first) && rows.after == std::min(radius, side - covered);
          // A pixel reads from radius before it to radius behind it. What lies before the first that is read, and
          // behind the last, is 0 in the plane, and on the circle it must not be what is read.
          right = right && rows.before + rows.count + radius <= length + rows.before &&
                  rows.read() + radius - rows.before <= length && rows.read() <= length;
          right = right && columns.first == 0 && columns.count == 1 && columns.read() == 1;
        }
        CHECK((right && covered == side));
      }
  CHECK(detail::plane_tiles{100, 40, 3, 32}.count() == 4 * 2);
  CHECK(detail::plane_tiles{29, 28, 3, 32}.count() == 1);
  CHECK(detail::plane_tiles::serve(1000, 1, 4, 16));
  CHECK(detail::plane_tiles::serve(9, 11, 5, 16));
  CHECK(!detail::plane_tiles::serve(9, 12, 5, 16));
}

TEST_CASE("transforms convolve planes that they have to cut, to the same bits on any threads and in any batch",
          "[operations]") {
  tbb_backend one{1}, be{2}, three{3}, many{20};  // each holds as many tiles as it has threads, or 16
  // Odd and even sides, one of them cut or both; tiles at one end and in the middle; kernels up to the largest.
  for (const conv2d_shape& s : {conv2d_shape{3, 16, 32, 29, 15, 5},
                                {1, 32, 16, 12, 64, 3},
                                {2, 16, 16, 27, 17, 9},
                                {1, 48, 16, 14, 62, 7},
                                {1, 16, 32, 96, 61, 7},
                                {1, 16, 16, 37, 65, 17},
                                {2, 16, 16, 75, 41, 1},
                                {1, 16, 16, 122, 59, 5}}) {
    const convolution_case at{s};
    // In double on tbb, which the cases above compare with serial and with the definition.
    const convolution_result exact = plan_and_convolve<double>(be, at, s.images),
                             magnitudes = plan_and_convolve<double>(be, at.magnitudes(), s.images);
    for (const conv2d_method method :
         {conv2d_method::transform_16, conv2d_method::transform_32, conv2d_method::transform_64}) {
      if (!detail::serves(method, s)) continue;
      CAPTURE(detail::name_of(method), text_of(s));
      const convolution_result fast = convolve_by(method, be, at, s.images + 3);
      check(method, at, fast, exact, magnitudes);
      CHECK(convolve_by(method, one, at, s.images) == fast);
      CHECK(convolve_by(method, three, at, s.images + 20) == fast);
      CHECK(convolve_by(method, many, at, s.images) == fast);
      const convolution_result alone = convolve_by(method, be, at.first(), 1);
      CHECK(std::equal(alone.y.begin(), alone.y.end(), fast.y.begin()));
      CHECK(std::equal(alone.dx.begin(), alone.dx.end(), fast.dx.begin()));
      // One gradient without the other.
      auto plan = make_conv2d<float>(be, s, {}, method);
      const auto holding = [&](const std::vector<double>& values, const shape& of) {
        auto array = be.make<float>(of);
        const std::vector<float> converted(values.begin(), values.end());
        be.upload(converted.data(), array.view());
        return array;
      };
      auto x = holding(at.x, s.input(s.images)), dy = holding(at.dy, s.output(s.images)),
           weight = holding(at.weight, s.weight());
      auto both_x = be.make<float>(s.input(s.images)), only_x = be.make<float>(s.input(s.images));
      auto both_w = be.make<float>(s.weight()), only_w = be.make<float>(s.weight());
      conv2d_prepare<float>(be, plan, weight.view());
      const auto backward = [&](auto dx, auto dweight) {
        conv2d_backward<float>(be, plan, x.view(), weight.view(), dy.view(), dx, dweight, {});
      };
      backward(both_x.view(), both_w.view());
      backward(only_x.view(), decltype(only_w.view()){});
      backward(decltype(only_x.view()){}, only_w.view());
      CHECK(std::equal(raw(both_x.view()), raw(both_x.view()) + both_x.extent().size(), raw(only_x.view())));
      CHECK(std::equal(raw(both_w.view()), raw(both_w.view()) + both_w.extent().size(), raw(only_w.view())));
    }
  }
}

TEST_CASE("every method adds an addend and has the same bits however often its weights are used", "[operations]") {
  tbb_backend be{2};
  // Tiles that all threads share, and so many that each thread takes its own.
  for (const conv2d_shape& s : {conv2d_shape{1, 48, 32, 5, 8, 3},
                                {2, 32, 64, 31, 32, 3},
                                {2, 64, 32, 9, 6, 1},
                                {1, 16, 32, 12, 12, 5},
                                {2, 32, 16, 9, 6, 3, 2, conv2d_padding::all(1)}}) {
    const convolution_case at{s};
    convolution_result exact = plan_and_convolve<double>(be, at, s.images),
                       magnitudes = plan_and_convolve<double>(be, at.magnitudes(), s.images);
    for (std::size_t k = 0; k < at.dy.size(); ++k) {
      exact.y[k] += at.dy[k];
      magnitudes.y[k] += std::abs(at.dy[k]);
    }
    for (const conv2d_method method : methods_for(s)) {
      CAPTURE(detail::name_of(method), text_of(s));
      const auto run = [&](std::size_t passes) {
        return convolve<float>(be, at, make_conv2d<float>(be, s, {}, method),
                               {.addend = true, .forward_passes = passes});
      };
      const convolution_result once = run(1);
      check(method, at, once, exact, magnitudes);
      for (const std::size_t passes : {std::size_t{2}, std::size_t{3}, std::size_t{5}}) CHECK(run(passes) == once);
    }
  }
}

TEST_CASE("the planner takes only methods that serve the padding and the kernel", "[operations]") {
  tbb_backend be;
  const auto chosen = [&](const conv2d_shape& s) { return make_conv2d<float>(be, s).chosen(); };
  const auto all = [](std::size_t n) { return conv2d_padding::all(n); };
  // Wide enough for any register.
  CHECK(chosen({1, 64, 64, 32, 32, 3, 1, all(1)}) == conv2d_method::winograd);
  CHECK(chosen({1, 64, 64, 32, 32, 3, 1, all(0)}) == conv2d_method::direct);
  CHECK(chosen({1, 64, 64, 32, 32, 3, 1, {1, 1, 1, 0}}) == conv2d_method::direct);
  CHECK(chosen({1, 64, 64, 32, 32, {3, 1}}) == conv2d_method::direct);
  CHECK(chosen({1, 64, 64, 32, 32, 1, 1, all(0)}) == conv2d_method::pointwise);
  CHECK(chosen({1, 64, 64, 32, 32, 1, 1, all(1)}) == conv2d_method::direct);
  CHECK(chosen({1, 64, 64, 32, 32, 1, 2}) == conv2d_method::direct);
  CHECK(chosen({1, 32, 32, 28, 28, 7, 1, all(3)}) == conv2d_method::transform_32);
  CHECK(chosen({1, 32, 32, 28, 28, 7, 1, all(2)}) == conv2d_method::direct);
  CHECK(chosen({1, 32, 32, 28, 28, {7, 5}}) == conv2d_method::direct);
  // Planes that no transform takes whole.
  for (const std::size_t side : std::vector<std::size_t>{62, 64, 96, 128, 256, 1000})
    CHECK(chosen({1, 32, 32, side, side, 7}) == conv2d_method::transform_32);
  CHECK(chosen({1, 1, 32, 28, 28, 17, 1, all(0)}) == conv2d_method::direct);
  CHECK(chosen({1, 3, 5, 28, 28, 17, 1, all(0)}) == conv2d_method::plain);
  CHECK(!detail::serves(conv2d_method::direct, {1, 3, 5, 8, 8, 3}));
}
