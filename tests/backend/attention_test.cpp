// Attention (Vaswani et al. 2017) on every backend: closed forms, gradients against finite differences, and the fast
// versions in float, with blocks of scores (Dao et al. 2022, attention_kernels.hpp), against the serial one in double.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>

#include "device_under_test.hpp"
#include "refusal.hpp"
#include "slope.hpp"
#include "worse.hpp"
#if !defined(__CUDACC__)
#include "heap.hpp"
#endif

using namespace softscore;

namespace {

using numbers = std::vector<double>;
using enum qkv_order;
template <class T>
constexpr double roundoff = 0.5 * static_cast<double>(std::numeric_limits<T>::epsilon());

// Queries, keys, values and dy as (images, heads, head_width, tokens).
struct attention_case {
  attention_shape s;
  numbers q, k, v, dy;

  explicit attention_case(const attention_shape& sizes)
      : s{sizes},
        q{normal_numbers(s.output(s.images).size(), 1)},
        k{normal_numbers(q.size(), 2)},
        v{normal_numbers(q.size(), 3)},
        dy{normal_numbers(q.size(), 4)} {}
};

struct attention_result {
  numbers y, dq, dk, dv;
  friend bool operator==(const attention_result&, const attention_result&) = default;
};

// Calls body(index in q, k, v and y, index in qkv of what belongs to q, of k, of v).
template <class Body>
void each_number(const attention_shape& s, const Body& body) {
  std::size_t i = 0;
  for (std::size_t n = 0; n < s.images; ++n)
    for (std::size_t head = 0; head < s.heads; ++head)
      for (std::size_t c = 0; c < s.head_width; ++c)
        for (std::size_t token = 0; token < s.tokens(); ++token, ++i) {
          const auto at = [&](std::size_t which) {
            return (n * 3 * s.channels() + s.channel(which, head, c)) * s.tokens() + token;
          };
          body(i, at(0), at(1), at(2));
        }
}

// An array of the backend with these values, in activation order.
template <class T, class Be>
auto activation_of(Be& be, const numbers& values, const shape& s) {
  auto plain = be.template make<T>(s), packed = be.template make<T>(s);
  const std::vector<T> converted(values.begin(), values.end());
  be.upload(converted.data(), plain.view());
  pack(be, plain.view(), packed.view());
  return packed;
}

template <class T, class Be>
numbers values_in(Be& be, view_of<Be, T> v) {
  auto plain = be.template make<T>(v.extent());
  unpack(be, v, plain.view());
  std::vector<T> host(v.size());
  be.download(plain.view(), host.data());
  return {host.begin(), host.end()};
}

template <class T, class Be>
attention_result attend(Be& be, const attention_case& c, std::size_t most_images) {
  attention_shape planned = c.s;
  planned.images = most_images;
  auto plan = make_attention<T>(be, planned);
  const shape in = c.s.input(c.s.images), out = c.s.output(c.s.images);
  numbers merged(in.size());
  each_number(c.s, [&](std::size_t i, std::size_t of_q, std::size_t of_k, std::size_t of_v) {
    merged[of_q] = c.q[i], merged[of_k] = c.k[i], merged[of_v] = c.v[i];
  });
  auto qkv = activation_of<T>(be, merged, in), dy = activation_of<T>(be, c.dy, out);
  auto y = be.template make<T>(out), dqkv = be.template make<T>(in);
  attention_forward(be, plan, qkv.view(), y.view());
  attention_backward(be, plan, qkv.view(), y.view(), dy.view(), dqkv.view());
  const numbers slopes = values_in<T>(be, dqkv.view());
  attention_result result{values_in<T>(be, y.view()), numbers(c.q.size()), numbers(c.q.size()), numbers(c.q.size())};
  each_number(c.s, [&](std::size_t i, std::size_t of_q, std::size_t of_k, std::size_t of_v) {
    result.dq[i] = slopes[of_q], result.dk[i] = slopes[of_k], result.dv[i] = slopes[of_v];
  });
  return result;
}
template <class T, class Be>
attention_result attend(Be& be, const attention_case& c) {
  return attend<T>(be, c, c.s.images);
}

// The largest |a - b|; infinite where one is a NaN.
double distance(const numbers& a, const numbers& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = worse(most, std::abs(a[i] - b[i]));
  return most;
}
double largest(const numbers& a) {
  double most = 0;
  for (const double v : a) most = std::max(most, std::abs(v));
  return most;
}

// How far a result may be from the exact one. The roundings of a sum of n products are independent enough that together
// they are about sqrt(n) u times the product of the lengths of the factors. So with `logit` = max |q_i| |k_j| / sqrt(D)
// a logit errs by (sqrt(D) + 4) u logit, the factor's roundings and those of the difference included, and a weight by
// twice that, as the sum of the exponentials errs too, plus (sqrt(tokens) + 12) u, relative to itself: `of_weight`.
// Weights of a row add up to 1, those of a column to `column` at most. A slope dy v^T is at most `slope`; its mean errs
// by of_weight of that, and ds = p (slope - mean) by four times of_weight of `slope` times p.
struct tolerance {
  double y, dq, dk, dv;

  tolerance(const attention_case& c, const attention_result& exact, double u) {
    const double width = static_cast<double>(c.s.head_width), tokens = static_cast<double>(c.s.tokens());
    const double logit = longest(c, c.q) * longest(c, c.k) / std::sqrt(width),
                 slope = longest(c, c.dy) * longest(c, c.v);
    const double of_weight = u * (2 * (std::sqrt(width) + 4) * logit + std::sqrt(tokens) + 12);
    // The columns' sums are dv for a dy of ones.
    attention_case ones = c;
    std::fill(ones.dy.begin(), ones.dy.end(), 1.0);
    serial_backend serial;
    const double column = largest(attend<double>(serial, ones).dv);
    y = of_weight * largest(c.v);
    dq = 4 * of_weight * slope * largest(c.k) / std::sqrt(width);
    dk = 4 * of_weight * slope * column * largest(c.q) / std::sqrt(width);
    dv = of_weight * column * largest(c.dy);
    CHECK(largest(exact.y) > 10 * y);  // a bound that says something
  }

 private:
  // The greatest length of a token's numbers.
  static double longest(const attention_case& c, const numbers& of) {
    double most = 0;
    const std::size_t matrix = c.s.head_width * c.s.tokens();
    for (std::size_t pair = 0; pair < c.s.images * c.s.heads; ++pair)
      for (std::size_t token = 0; token < c.s.tokens(); ++token) {
        double sum = 0;
        for (std::size_t d = 0; d < c.s.head_width; ++d) {
          const double v = of[pair * matrix + d * c.s.tokens() + token];
          sum += v * v;
        }
        most = std::max(most, sum);
      }
    return std::sqrt(most);
  }
};

void check_near(const attention_result& fast, const attention_result& exact, const tolerance& within) {
  CHECK(distance(fast.y, exact.y) <= within.y);
  CHECK(distance(fast.dq, exact.dq) <= within.dq);
  CHECK(distance(fast.dk, exact.dk) <= within.dk);
  CHECK(distance(fast.dv, exact.dv) <= within.dv);
}

template <class T, class Be>
void check_against_serial(Be& be, const attention_shape& s) {
  CAPTURE(s.images, s.heads, s.head_width, s.height, s.width, static_cast<int>(s.order));
  const attention_case at{s};
  serial_backend serial;
  const attention_result exact = attend<double>(serial, at);
  check_near(attend<T>(be, at, s.images + 1), exact, tolerance{at, exact, roundoff<T>});
}

}  // namespace

TEMPLATE_TEST_CASE("the gradients of attention are its slopes", "[attention]", HOST_BACKENDS, device_under_test) {
  TestType be;
  for (const attention_shape& s :
       {attention_shape{2, 2, 4, 2, 3, qkv_head_channel}, attention_shape{1, 3, 5, 1, 4, head_qkv_channel},
        attention_shape{2, 1, 8, 3, 3, head_channel_qkv}, attention_shape{1, 2, 1, 2, 2, qkv_head_channel}}) {
    const attention_case at{s};
    const attention_result result = attend<double>(be, at);
    const auto with = [&](numbers attention_case::* member) {
      return [&, member](const numbers& values) {
        attention_case moved = at;
        moved.*member = values;
        const numbers y = attend<double>(be, moved).y;
        double loss = 0;
        for (std::size_t i = 0; i < y.size(); ++i) loss += y[i] * at.dy[i];
        return loss;
      };
    };
    CAPTURE(s.images, s.heads, s.head_width, s.height, s.width);
    CHECK(slope_error(with(&attention_case::q), at.q, result.dq) < 1e-7);
    CHECK(slope_error(with(&attention_case::k), at.k, result.dk) < 1e-7);
    CHECK(slope_error(with(&attention_case::v), at.v, result.dv) < 1e-7);
  }
}

namespace {

// Values that are all 1: a row of weights adds up to 1, by as many roundings as there are tokens, of which most cancel.
template <class T, class Be>
void check_rows(Be& be, std::size_t side) {
  attention_case at{{1, 1, 4, side, side}};
  std::fill(at.v.begin(), at.v.end(), 1.0);
  const attention_result result = attend<T>(be, at);
  const std::size_t tokens = side * side;
  CHECK(distance(result.y, at.v) <= (std::sqrt(static_cast<double>(tokens)) + 4) * roundoff<T>);
  // A number added to all keys changes nothing, so the sum of dk over the tokens is zero: one of tokens^2 products, in
  // whose rows the weights add up to 1 and the slopes cancel to the roundings of a sum of 4 products.
  for (std::size_t c = 0; c < 4; ++c) {
    double sum = 0;
    for (std::size_t j = 0; j < tokens; ++j) sum += result.dk[c * tokens + j];
    CHECK(std::abs(sum) <= 32 * static_cast<double>(tokens) * roundoff<T> * largest(at.dy) * largest(at.q));
  }
}

// Checks in T, on one backend, what has a closed form.
template <class T, class Be>
void check_closed_forms(Be& be) {
  const double u = roundoff<T>;
  {  // One token has the weight 1, so y is v. The slopes' differences from their mean are roundings of sums of 8
     // products.
    const attention_case at{{3, 2, 8, 1, 1}};
    const attention_result result = attend<T>(be, at);
    CHECK(distance(result.y, at.v) <= 2 * u * largest(at.v));
    CHECK(distance(result.dv, at.dy) <= 2 * u * largest(at.dy));
    const double slope = 8 * largest(at.dy) * largest(at.v);
    CHECK(largest(result.dq) <= 8 * u * slope * largest(at.k));
    CHECK(largest(result.dk) <= 8 * u * slope * largest(at.q));
  }
  {  // Keys that are all the same: every y is the mean of v, and dq is zero since the keys' weights make no difference.
    attention_case at{{1, 1, 5, 4, 10, head_qkv_channel}};
    for (std::size_t i = 0; i < at.k.size(); ++i) at.k[i] = at.k[i / 40 * 40];
    const attention_result result = attend<T>(be, at);
    double off = 0, off_slopes = 0;
    for (std::size_t c = 0; c < 5; ++c) {
      double mean = 0, mean_dy = 0;
      for (std::size_t j = 0; j < 40; ++j) mean += at.v[40 * c + j] / 40, mean_dy += at.dy[40 * c + j] / 40;
      for (std::size_t i = 0; i < 40; ++i) {
        off = std::max(off, std::abs(result.y[40 * c + i] - mean));
        off_slopes = std::max(off_slopes, std::abs(result.dv[40 * c + i] - mean_dy));
      }
    }
    // Sums of 40 products of numbers rounded once, and of 40 weights.
    CHECK(off <= (40 + 10) * u * largest(at.v));
    CHECK(off_slopes <= (40 + 10) * u * largest(at.dy));
    CHECK(largest(result.dq) <= 100 * u * 5 * largest(at.dy) * largest(at.v) * largest(at.k));
  }
  check_rows<T>(be, 7);
}

// Of two tokens, q and k of one number each.
template <class T, class Be>
attention_result attend_to_two(Be& be, const numbers& q, const numbers& k) {
  attention_case at{{1, 1, 1, 1, 2}};
  at.q = q, at.k = k, at.v = {3, -2}, at.dy = {0.5, 0.25};
  return attend<T>(be, at);
}

template <class T, class Be>
void check_huge_logits(Be& be) {
  // Logits of 1e4 and -1e4: all weight on the first token, and on the second for the query of the other sign.
  CHECK(attend_to_two<T>(be, {100, 100}, {100, -100}) == attention_result{{3, 3}, {0, 0}, {0, 0}, {0.75, 0}});
  CHECK(attend_to_two<T>(be, {100, -100}, {100, -100}) == attention_result{{3, -2}, {0, 0}, {0, 0}, {0.5, 0.25}});
  // Two logits of 1e4: half and half. The slopes of the weights are +-2.5 dy, those of the logits half of that.
  const attention_result equal = attend_to_two<T>(be, {100, 100}, {100, 100});
  CHECK(equal.y == numbers{0.5, 0.5});
  CHECK(equal.dq == numbers{0, 0});
  CHECK(distance(equal.dk, {93.75, -93.75}) <= 4 * roundoff<T> * 93.75);  // q goes through log2(e) and its inverse
  CHECK(equal.dv == numbers{0.375, 0.375});
  // 10000 and 9999 or so. A logit of 1e4 is rounded by 1e4 u, and so is a weight; the factor log2(e) doubles that.
  const double low = static_cast<double>(static_cast<T>(99.99)), weight = 1 / (1 + std::exp(100 * (low - 100)));
  const attention_result near = attend_to_two<T>(be, {100, 100}, {100, low});
  const double y = 3 * weight - 2 * (1 - weight), within = 4e4 * roundoff<T>;
  CHECK(distance(near.y, {y, y}) <= 5 * within);
  CHECK(distance(near.dv, {0.75 * weight, 0.75 * (1 - weight)}) <= within);
  const double ds = weight * (1 - weight) * 5;  // times dy
  CHECK(distance(near.dk, {75 * ds, -75 * ds}) <= 75 * 5 * 2 * within);
}

}  // namespace

TEMPLATE_TEST_CASE("attention has its closed forms", "[attention]", HOST_BACKENDS, device_under_test) {
  TestType be;
  check_closed_forms<float>(be);
  check_closed_forms<double>(be);
}

TEMPLATE_TEST_CASE("attention with logits of ten thousand is finite and right", "[attention]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  check_huge_logits<float>(be);
  check_huge_logits<double>(be);
}

TEMPLATE_TEST_CASE("attention to what is no number is none", "[attention]", HOST_BACKENDS, device_under_test) {
  TestType be;
  attention_case at{{1, 2, 4, 3, 3}};
  at.q[5] = std::numeric_limits<double>::quiet_NaN();  // number 0 of token 5 of the first head
  const attention_result result = attend<float>(be, at);
  CHECK(std::isnan(result.y[5]));  // or training would not notice
  CHECK(std::isnan(result.dq[5]));
  CHECK(std::isfinite(result.y[4]));
  CHECK(std::isfinite(result.y[36 + 5]));
}

TEMPLATE_TEST_CASE("the order of the channels changes nothing else", "[attention]", HOST_BACKENDS, device_under_test) {
  TestType be;
  attention_case at{{2, 3, 4, 3, 5, qkv_head_channel}};
  const attention_result result = attend<float>(be, at);
  for (const qkv_order order : {head_qkv_channel, head_channel_qkv}) {
    at.s.order = order;
    CHECK(attend<float>(be, at) == result);
  }
}

TEST_CASE("the orders of channels are those of the originals", "[attention]") {
  // Channel numbers by hand, for 2 heads of 2: q of head 1, number 0, and v of head 0, number 1.
  const attention_shape maps{1, 2, 2, 1, 1, qkv_head_channel}, guided{1, 2, 2, 1, 1, head_qkv_channel},
      edm{1, 2, 2, 1, 1, head_channel_qkv};
  CHECK(maps.channel(0, 1, 0) == 2);
  CHECK(maps.channel(2, 0, 1) == 9);
  CHECK(guided.channel(0, 1, 0) == 6);
  CHECK(guided.channel(2, 0, 1) == 5);
  CHECK(edm.channel(0, 1, 0) == 6);
  CHECK(edm.channel(2, 0, 1) == 5);
  CHECK(edm.channel(1, 1, 0) == 7);
}

TEST_CASE("a device attends in float and double as serial does in double, to the same bits in any order",
          "[attention]") {
  device_under_test device;
  for (const attention_shape& s :
       {attention_shape{2, 2, 4, 1, 1, qkv_head_channel}, attention_shape{2, 3, 5, 3, 5, head_qkv_channel},
        attention_shape{1, 2, 12, 8, 8, head_channel_qkv}, attention_shape{1, 1, 4, 17, 16, qkv_head_channel},
        attention_shape{1, 1, 256, 3, 3, qkv_head_channel}, attention_shape{1, 2, 32, 5, 7, head_qkv_channel}}) {
    check_against_serial<float>(device, s);
    check_against_serial<double>(device, s);
#if !defined(__CUDACC__)  // on the emulated device: in any order of the threads
    device_under_test backwards;
    backwards.device().backwards = true;
    const attention_case at{s};
    CHECK(attend<float>(backwards, at) == attend<float>(device, at));
#endif
  }
}

#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors

TEST_CASE("tbb attends in float and double as serial does in double", "[attention]") {
  tbb_backend tbb{2};
  const qkv_order orders[] = {qkv_head_channel, head_qkv_channel, head_channel_qkv};
  std::size_t count = 0;
  constexpr std::size_t head_widths[] = {1, 4, 5, 8, 10, 12, 24, 32, 64, 256};
  for (const std::size_t head_width : head_widths)
    for (const auto& [height, width] :
         {std::pair<std::size_t, std::size_t>{1, 1}, {1, 2}, {3, 5}, {8, 8}, {10, 13}, {17, 16}}) {
      if (head_width * height * width > 64 * 130) continue;
      const attention_shape s{2, head_width % 3 + 1, head_width, height, width, orders[count++ % 3]};
      check_against_serial<float>(tbb, s);
      if (head_width <= 12) check_against_serial<double>(tbb, s);
    }
  // Several tasks of a head.
  check_against_serial<float>(tbb, {2, 1, 8, 24, 25, head_channel_qkv});
}

TEST_CASE("attention has the same bits for any number of threads, and an image those of any batch", "[attention]") {
  for (const attention_shape& s :
       {attention_shape{5, 2, 8, 8, 8, qkv_head_channel}, attention_shape{3, 1, 12, 20, 20, head_qkv_channel},
        attention_shape{4, 3, 5, 3, 3, head_channel_qkv}, attention_shape{1, 1, 32, 16, 17, qkv_head_channel}}) {
    CAPTURE(s.images, s.heads, s.head_width, s.height, s.width);
    const attention_case at{s};
    attention_case first = at;  // the batch's first image alone
    first.s.images = 1;
    for (numbers* part : {&first.q, &first.k, &first.v, &first.dy}) part->resize(s.output(1).size());
    tbb_backend one{1}, two{2}, three{3};
    const auto check = [&]<class T>(T) {
      const attention_result result = attend<T>(one, at);
      CHECK(attend<T>(two, at, s.images + 20) == result);
      CHECK(attend<T>(three, at) == result);
      const attention_result alone = attend<T>(two, first);
      for (const auto& [ours, all] : {std::pair{&alone.y, &result.y}, std::pair{&alone.dq, &result.dq},
                                      std::pair{&alone.dk, &result.dk}, std::pair{&alone.dv, &result.dv}})
        CHECK(std::equal(ours->begin(), ours->end(), all->begin()));
    };
    check(float{});
    check(double{});
  }
}

TEMPLATE_TEST_CASE("attention takes nothing from the heap after planning", "[attention]", HOST_BACKENDS) {
  TestType be;
  const attention_shape s{3, 2, 8, 20, 20};
  const auto check = [&]<class T>(T) {
    auto plan = make_attention<T>(be, s);
    auto qkv = be.template make<T>(s.input(3)), dqkv = be.template make<T>(s.input(3));
    auto y = be.template make<T>(s.output(3)), dy = be.template make<T>(s.output(3));
    const auto both = [&] {
      attention_forward(be, plan, qkv.view(), y.view());
      attention_backward(be, plan, qkv.view(), y.view(), dy.view(), dqkv.view());
    };
    both();  // oneTBB starts its threads
    CHECK(heap::allocations(both) == 0);
  };
  check(float{});
  check(double{});
}

TEST_CASE("tbb attends to as many tokens as there can be", "[attention]") {
  tbb_backend be{2};
  check_rows<float>(be, 64);
}

TEST_CASE("2^x is within two roundings", "[attention]") {
  using detail::native_lanes;
  using vector = detail::simd<native_lanes>;
  double worst = 0;
  for (int i = -126 * 1000; i + static_cast<int>(native_lanes) <= 127 * 1000; i += static_cast<int>(native_lanes)) {
    vector x{};
    for (std::size_t lane = 0; lane < native_lanes; ++lane)
      x[lane] = static_cast<float>(i + static_cast<int>(lane)) / 1000.0f;
    const vector y = detail::exp2_simd<native_lanes>(x);
    for (std::size_t lane = 0; lane < native_lanes; ++lane)
      worst = std::max(worst, std::abs(static_cast<double>(y[lane]) / std::exp2(static_cast<double>(x[lane])) - 1));
  }
  CHECK(worst <= 2 * roundoff<float>);
  const auto of = [](float x) { return detail::exp2_simd<native_lanes>(detail::broadcast<native_lanes>(x))[0]; };
  CHECK(of(0.0f) == 1.0f);
  CHECK(of(-127.0f) == 0.0f);
  CHECK(of(-1e30f) == 0.0f);
  CHECK(of(-std::numeric_limits<float>::infinity()) == 0.0f);
  CHECK(std::isnan(of(std::numeric_limits<float>::quiet_NaN())));
}
#endif

TEMPLATE_TEST_CASE("attention refuses sizes that it cannot have", "[attention]", HOST_BACKENDS, device_under_test) {
  TestType be;
  CHECK_REFUSED((make_attention<float>(be, {0, 1, 8, 4, 4})), "images is 0");
  CHECK_REFUSED((make_attention<float>(be, {1, 0, 8, 4, 4})), "heads is 0");
  CHECK_REFUSED((make_attention<float>(be, {1, 1, 0, 4, 4})), "head_width is 0");
  CHECK_REFUSED((make_attention<float>(be, {1, 1, 257, 4, 4})), "between 1 and 256");
  CHECK_REFUSED((make_attention<float>(be, {1, 1, 8, 0, 4})), "height is 0");
  CHECK_REFUSED((make_attention<float>(be, {1, 1, 8, 4, 0})), "width is 0");
  CHECK_REFUSED((make_attention<float>(be, {1, 1, 8, 64, 65})), "number of tokens of an image is 64 x 65");
  CHECK_REFUSED((make_attention<float>(be, {1, std::size_t{1} << 60, 8, 4, 4})), "number of channels");
  const attention_shape s{2, 2, 4, 3, 3};
  auto plan = make_attention<float>(be, s);
  auto y = be.template make<float>(s.output(3));
  for (const auto& [wrong, sentence] :
       {std::pair{shape{2, 16, 3, 3}, "3 * heads * head_width"}, std::pair{shape{2, 24, 3, 4}, "as high and wide"},
        std::pair{shape{3, 24, 3, 3}, "the number of images is 3"}}) {
    auto qkv = be.template make<float>(wrong);
    CHECK_REFUSED((attention_forward(be, plan, qkv.view(), y.view())), sentence);
    CHECK_REFUSED((attention_backward(be, plan, qkv.view(), y.view(), y.view(), qkv.view())), sentence);
  }
}
