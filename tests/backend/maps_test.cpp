// Resampling (Karras et al. 2020) and pooling on every backend: against their formulas, adjoint identities, and one set
// of bits for any number of threads and any batch.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <softscore/backend/pooling.hpp>
#include <softscore/backend/resampling.hpp>
#include <softscore/backend/serial.hpp>

#include "activations.hpp"
#include "device_under_test.hpp"
#include "refusal.hpp"
#include "slope.hpp"

using namespace softscore;

namespace {

shape doubled(const shape& s) { return {s.images, s.channels, 2 * s.height, 2 * s.width}; }
shape halved(const shape& s) { return {s.images, s.channels, s.height / 2, s.width / 2}; }

constexpr double smooth[] = {1, 3, 3, 1}, box[] = {1, 1}, wide[] = {-1, 2, 9, 9, 2, -1};
const fir_filter fir_down = make_fir_filter(smooth), fir_up = make_fir_filter(smooth, 4),
                 wide_down = make_fir_filter(wide, 0.5);
const pool_window two{2, 2, 0, true}, three{3, 2, 1, true}, uncounted{3, 2, 1, false}, dense{3, 1, 1, false},
    gaps{2, 3, 0, true};

// Tap `k` of a filter over the sum of all, or 0 beyond them.
template <std::size_t N>
double tap(const double (&taps)[N], std::ptrdiff_t k) {
  double sum = 0;
  for (const double t : taps) sum += t;
  return k >= 0 && k < static_cast<std::ptrdiff_t>(N) ? taps[k] / sum : 0;
}
template <std::size_t N>
double down_weight(const double (&taps)[N], std::size_t out, std::size_t in) {
  const std::size_t padding = (N - 1) / 2;
  return tap(taps, static_cast<std::ptrdiff_t>(in + padding) - static_cast<std::ptrdiff_t>(2 * out));
}
// The input pixel lies at 2 in among zeros, N / 2 of which are in front.
template <std::size_t N>
double up_weight(const double (&taps)[N], std::size_t out, std::size_t in) {
  return tap(taps, static_cast<std::ptrdiff_t>(2 * in + N / 2) - static_cast<std::ptrdiff_t>(out));
}
double pool_weight(const pool_window& w, const shape& in, std::size_t row, std::size_t column, std::size_t i,
                   std::size_t k) {
  const auto inside = [&](std::size_t o, std::size_t at) {
    return at + w.padding >= o * w.stride && at + w.padding < o * w.stride + w.kernel;
  };
  if (!inside(row, i) || !inside(column, k)) return 0;
  std::size_t count = 0;
  for (std::size_t r = 0; r < in.height; ++r)
    for (std::size_t c = 0; c < in.width; ++c) count += inside(row, r) && inside(column, c) ? 1u : 0u;
  return 1 / static_cast<double>(w.count_padding ? w.kernel * w.kernel : count);
}

// A linear map of planes: its name, the shape of its output, and the weight of input pixel (i, k) in output pixel (row,
// column) for images of that shape.
struct named_map {
  const char* name;
  shape (*output)(const shape&);
  double (*weight)(const shape& in, std::size_t row, std::size_t column, std::size_t i, std::size_t k);
};

const std::vector<named_map>& linear_maps() {
  using size = std::size_t;
  static const std::vector<named_map> maps{
      {"nearest", doubled,
       [](const shape&, size r, size c, size i, size k) { return i == r / 2 && k == c / 2 ? 1.0 : 0.0; }},
      {"mean of four", halved,
       [](const shape&, size r, size c, size i, size k) { return i / 2 == r && k / 2 == c ? 0.25 : 0.0; }},
      {"fir down", halved,
       [](const shape&, size r, size c, size i, size k) {
         return down_weight(smooth, r, i) * down_weight(smooth, c, k);
       }},
      {"fir up", doubled,
       [](const shape&, size r, size c, size i, size k) {
         return 4 * up_weight(smooth, r, i) * up_weight(smooth, c, k);
       }},
      {"six taps down", halved,
       [](const shape&, size r, size c, size i, size k) {
         return 0.5 * down_weight(wide, r, i) * down_weight(wide, c, k);
       }},
      {"six taps up", doubled,
       [](const shape&, size r, size c, size i, size k) {
         return 0.5 * up_weight(wide, r, i) * up_weight(wide, c, k);
       }},
      {"mean 2", [](const shape& s) { return pooled(two, s); },
       [](const shape& s, size r, size c, size i, size k) { return pool_weight(two, s, r, c, i, k); }},
      {"mean 3", [](const shape& s) { return pooled(three, s); },
       [](const shape& s, size r, size c, size i, size k) { return pool_weight(three, s, r, c, i, k); }},
      {"mean 3 inside", [](const shape& s) { return pooled(uncounted, s); },
       [](const shape& s, size r, size c, size i, size k) { return pool_weight(uncounted, s, r, c, i, k); }},
      {"mean 3 everywhere", [](const shape& s) { return pooled(dense, s); },
       [](const shape& s, size r, size c, size i, size k) { return pool_weight(dense, s, r, c, i, k); }},
      {"mean with gaps", [](const shape& s) { return pooled(gaps, s); },
       [](const shape& s, size r, size c, size i, size k) { return pool_weight(gaps, s, r, c, i, k); }}};
  return maps;
}

// y = A x of map `which` on a backend.
template <class T, class Be>
void forward(Be& be, std::size_t which, view_of<Be, const T> x, view_of<Be, T> y) {
  switch (which) {
    case 0:
      return upsample_nearest_forward(be, x, y);
    case 1:
      return downsample_mean_forward(be, x, y);
    case 2:
      return fir_downsample_forward(be, fir_down, x, y);
    case 3:
      return fir_upsample_forward(be, fir_up, x, y);
    case 4:
      return fir_downsample_forward(be, wide_down, x, y);
    case 5:
      return fir_upsample_forward(be, wide_down, x, y);
    default:
      return pool_mean_forward(be, std::vector{two, three, uncounted, dense, gaps}[which - 6], x, y);
  }
}
// dx = A^T dy.
template <class T, class Be>
void backward(Be& be, std::size_t which, view_of<Be, const T> dy, view_of<Be, T> dx) {
  switch (which) {
    case 0:
      return upsample_nearest_backward(be, dy, dx);
    case 1:
      return downsample_mean_backward(be, dy, dx);
    case 2:
      return fir_downsample_backward(be, fir_down, dy, dx);
    case 3:
      return fir_upsample_backward(be, fir_up, dy, dx);
    case 4:
      return fir_downsample_backward(be, wide_down, dy, dx);
    case 5:
      return fir_upsample_backward(be, wide_down, dy, dx);
    default:
      return pool_mean_backward(be, std::vector{two, three, uncounted, dense, gaps}[which - 6], dy, dx);
  }
}

template <class T, class Be>
numbers apply(Be& be, std::size_t which, const numbers& x, const shape& in) {
  auto from = activation_of<T>(be, x, in);
  auto to = be.template make<T>(linear_maps()[which].output(in));
  forward<T>(be, which, from.view(), to.view());
  return activation_values<T>(be, to.view());
}
template <class T, class Be>
numbers apply_transposed(Be& be, std::size_t which, const numbers& dy, const shape& in) {
  auto from = activation_of<T>(be, dy, linear_maps()[which].output(in));
  auto to = be.template make<T>(in);
  backward<T>(be, which, from.view(), to.view());
  return activation_values<T>(be, to.view());
}

// One channel, several plain ones, blocks of any register, odd sizes; the last one only where a window fits.
const std::vector<shape>& map_sizes() {
  static const std::vector<shape> sizes{{1, 1, 4, 6}, {2, 3, 5, 7}, {3, 16, 6, 4}, {2, 32, 7, 5}, {1, 48, 2, 2}};
  return sizes;
}

// y of the formula and, for every pixel, the sum of |weight x|.
struct by_formula {
  numbers y, size;
};
by_formula formula(const named_map& map, const numbers& x, const shape& in, bool transposed) {
  const shape out = map.output(in), from = transposed ? out : in, to = transposed ? in : out;
  by_formula result{numbers(to.size()), numbers(to.size())};
  for (std::size_t plane = 0; plane < in.images * in.channels; ++plane)
    for (std::size_t o = 0; o < to.plane(); ++o)
      for (std::size_t i = 0; i < from.plane(); ++i) {
        const std::size_t a = transposed ? i : o, b = transposed ? o : i;
        const double w = map.weight(in, a / out.width, a % out.width, b / in.width, b % in.width);
        const double term = w * x[plane * from.plane() + i];
        result.y[plane * to.plane() + o] += term;
        result.size[plane * to.plane() + o] += std::abs(term);
      }
  return result;
}

// The largest error over the sum of |weight x|; infinite for a NaN.
double worst(const numbers& values, const by_formula& exact) {
  REQUIRE(values.size() == exact.y.size());
  double most = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double error = std::abs(values[i] - exact.y[i]);
    if (std::isnan(error)) return INFINITY;
    if (!(error <= most * exact.size[i])) most = exact.size[i] > 0 ? error / exact.size[i] : error;
  }
  return most;
}

}  // namespace

TEMPLATE_TEST_CASE("resampling and mean pooling are their formulas, and so are their transposes", "[maps]",
                   HOST_BACKENDS, device_under_test) {
  TestType be;
  // A sum of at most 36 terms, whose weights have 4 roundings each: 40 halves of epsilon of the sum of |terms|.
  constexpr double in_double = 20 * std::numeric_limits<double>::epsilon(),
                   in_float = 20 * static_cast<double>(std::numeric_limits<float>::epsilon());
  for (const shape& in : map_sizes())
    for (std::size_t which = 0; which < linear_maps().size(); ++which) {
      const named_map& map = linear_maps()[which];
      CAPTURE(map.name, in);
      // Numbers that float has too.
      const numbers x = rounded(normal_numbers(in.size(), 1)), dy = rounded(normal_numbers(map.output(in).size(), 2));
      const by_formula y = formula(map, x, in, false), dx = formula(map, dy, in, true);
      CHECK(worst(apply<double>(be, which, x, in), y) <= in_double);
      CHECK(worst(apply_transposed<double>(be, which, dy, in), dx) <= in_double);
      CHECK(worst(apply<float>(be, which, x, in), y) <= in_float);
      CHECK(worst(apply_transposed<float>(be, which, dy, in), dx) <= in_float);
    }
}

TEMPLATE_TEST_CASE("<A x, y> = <x, A^T y> for resampling and mean pooling", "[maps]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  for (const shape& in : {shape{2, 3, 6, 8}, shape{1, 16, 9, 5}})
    for (std::size_t which = 0; which < linear_maps().size(); ++which) {
      CAPTURE(linear_maps()[which].name, in);
      const numbers x = normal_numbers(in.size(), 1), y = normal_numbers(linear_maps()[which].output(in).size(), 2);
      const double left = sum_of_products(apply<double>(be, which, x, in), y);
      const double right = sum_of_products(x, apply_transposed<double>(be, which, y, in));
      // Roundings of at most 36 + 3000 terms, in random directions, of numbers of size 1.
      CHECK(std::abs(left - right) < 1e-12 * std::sqrt(sum_of_products(x, x) * sum_of_products(y, y)));
    }
}

TEMPLATE_TEST_CASE("the filter (1, 1) repeats pixels and takes means, to the last bit", "[maps]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  const fir_filter mean = make_fir_filter(box), repeat = make_fir_filter(box, 4);
  for (const shape& s : {shape{2, 3, 4, 6}, shape{1, 16, 6, 2}}) {
    const auto x = activation_of<float>(be, normal_numbers(s.size(), 1), s);
    auto a = be.template make<float>(doubled(s)), b = be.template make<float>(doubled(s));
    upsample_nearest_forward(be, x.view(), a.view());
    fir_upsample_forward(be, repeat, x.view(), b.view());
    CHECK(values_of(be, a.view()) == values_of(be, b.view()));
    auto c = be.template make<float>(halved(s)), d = be.template make<float>(halved(s));
    downsample_mean_forward(be, x.view(), c.view());
    fir_downsample_forward(be, mean, x.view(), d.view());
    CHECK(values_of(be, c.view()) == values_of(be, d.view()));
  }
}

TEST_CASE("a filter refuses taps that it cannot have", "[maps]") {
  CHECK_REFUSED(make_fir_filter({1, 2, 1}), "number of taps is 3");
  CHECK_REFUSED(make_fir_filter(std::vector<double>{}), "number of taps is 0");
  CHECK_REFUSED(make_fir_filter(std::vector<double>(10, 1.0)), "number of taps is 10");
  CHECK_REFUSED(make_fir_filter({1, 2}), "a tap is 1");
  CHECK_REFUSED(make_fir_filter({1, -1, -1, 1}), "the sum of the taps is 0");
  CHECK_REFUSED(make_fir_filter(box, std::numeric_limits<double>::infinity()), "gain is");
}

namespace {

struct max_result {
  numbers y, dx;
  friend bool operator==(const max_result&, const max_result&) = default;
};

template <class T, class Be>
max_result pool_max(Be& be, const pool_window& w, const numbers& of_x, const numbers& of_dy, const shape& in) {
  auto x = activation_of<T>(be, of_x, in), dy = activation_of<T>(be, of_dy, pooled(w, in));
  auto y = be.template make<T>(pooled(w, in)), dx = be.template make<T>(in);
  pool_max_forward(be, w, x.view(), y.view());
  pool_max_backward(be, w, x.view(), dy.view(), dx.view());
  return {activation_values<T>(be, y.view()), activation_values<T>(be, dx.view())};
}

// The same by the definition: each window's first greatest pixel takes its dy.
max_result pool_max_by_definition(const pool_window& w, const numbers& x, const numbers& dy, const shape& in) {
  const shape out = pooled(w, in);
  max_result result{numbers(out.size()), numbers(in.size())};
  for (std::size_t o = 0; o < out.size(); ++o) {
    const std::size_t plane = o / out.plane(), row = o % out.plane() / out.width, column = o % out.width;
    std::size_t best = in.size();
    for (std::size_t r = 0; r < in.height; ++r)
      for (std::size_t c = 0; c < in.width; ++c) {
        const bool inside = r + w.padding >= row * w.stride && r + w.padding < row * w.stride + w.kernel &&
                            c + w.padding >= column * w.stride && c + w.padding < column * w.stride + w.kernel;
        const std::size_t at = plane * in.plane() + r * in.width + c;
        if (inside && (best == in.size() || x[at] > x[best])) best = at;
      }
    result.y[o] = x[best];
    result.dx[best] += dy[o];
  }
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("the greatest pixels of windows and their gradients are exact", "[maps]", HOST_BACKENDS,
                   device_under_test) {
  TestType be;
  for (const shape& in : map_sizes())
    for (const pool_window& w : {two, three, uncounted, dense, gaps}) {
      CAPTURE(in, w.kernel, w.stride, w.padding);
      // Whole numbers: many are equal, and their sums are exact in any order.
      numbers x = normal_numbers(in.size(), 1), dy = normal_numbers(pooled(w, in).size(), 2);
      for (double& v : x) v = std::round(2 * v);
      for (double& v : dy) v = std::round(100 * v);
      const max_result exact = pool_max_by_definition(w, x, dy, in);
      CHECK(pool_max<double>(be, w, x, dy, in) == exact);
      CHECK(pool_max<float>(be, w, x, dy, in) == exact);
    }
}

TEMPLATE_TEST_CASE("the greatest pixel of a window with a NaN is a NaN", "[maps]", HOST_BACKENDS, device_under_test) {
  TestType be;
  for (const std::size_t channels : {std::size_t{1}, std::size_t{16}})
    for (std::size_t place = 0; place < 4; ++place) {
      const shape in{1, channels, 2, 2};
      numbers x = normal_numbers(in.size(), 1);
      x[place] = std::numeric_limits<double>::quiet_NaN();
      const numbers y = pool_max<float>(be, two, x, numbers(channels), in).y;
      CHECK(std::isnan(y[0]));
      CHECK(std::count_if(y.begin(), y.end(), [](double v) { return std::isnan(v); }) == 1);
    }
}

TEST_CASE("a pooling refuses windows that it cannot have", "[maps]") {
  const shape in{1, 1, 3, 3};
  CHECK_REFUSED(pooled({0, 1, 0, true}, in), "the window of a pooling is 0");
  CHECK_REFUSED(pooled({2, 0, 0, true}, in), "the stride of a pooling is 0");
  CHECK_REFUSED(pooled({3, 1, 2, true}, in), "the padding of a pooling is 2");
  CHECK_REFUSED(pooled({4, 1, 0, true}, in), "the extent of a pooling is 1 x 1 x 3 x 3");
  CHECK(pooled({3, 2, 1, true}, in) == shape{1, 1, 2, 2});
}

namespace {

// All results of map `which` and of the greatest pixels, in float.
template <class Be>
std::vector<numbers> all_results(Be& be, const shape& in) {
  std::vector<numbers> results;
  for (std::size_t which = 0; which < linear_maps().size(); ++which) {
    results.push_back(apply<float>(be, which, normal_numbers(in.size(), 1), in));
    results.push_back(
        apply_transposed<float>(be, which, normal_numbers(linear_maps()[which].output(in).size(), 2), in));
  }
  const max_result most =
      pool_max<float>(be, three, normal_numbers(in.size(), 1), normal_numbers(pooled(three, in).size(), 2), in);
  results.push_back(most.y);
  results.push_back(most.dx);
  return results;
}

}  // namespace

TEST_CASE("maps have the same bits for any threads and in any batch", "[maps]") {
  for (const shape& in : {shape{3, 16, 6, 5}, shape{2, 3, 7, 4}}) {
    device_under_test device;
    const auto on_device = all_results(device, in);
    const auto first_image = all_results(device, in.with_images(1));
    for (std::size_t i = 0; i < on_device.size(); ++i)
      CHECK(std::equal(first_image[i].begin(), first_image[i].end(), on_device[i].begin()));
#if !defined(__CUDACC__)
    device_under_test backwards;
    backwards.device().backwards = true;
    CHECK(all_results(backwards, in) == on_device);
    tbb_backend one{1}, three_threads{3};
    const auto results = all_results(one, in);
    CHECK(all_results(three_threads, in) == results);
    const auto alone = all_results(three_threads, in.with_images(1));
    for (std::size_t i = 0; i < results.size(); ++i)
      CHECK(std::equal(alone[i].begin(), alone[i].end(), results[i].begin()));
#endif
  }
}
