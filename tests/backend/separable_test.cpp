// The blur by tiles against the plain one in double, for planes and kernels of every kind.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <span>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/operator/check_laws.hpp>
#include <softscore/operator/gaussian_blur.hpp>

#include "random_batch.hpp"

using namespace softscore;

namespace {

// Narrower than a vector, a vector, a pair of them, one more or less; planes of one row; planes of several bands.
const std::initializer_list<shape> extents{{2, 1, 1, 1},   {2, 3, 5, 3},    {3, 2, 1, 4},   {2, 1, 2, 7},
                                           {2, 2, 7, 9},   {2, 1, 3, 15},   {3, 1, 11, 16}, {2, 2, 4, 17},
                                           {3, 1, 28, 28}, {1, 3, 33, 31},  {2, 1, 10, 33}, {1, 1, 64, 65},
                                           {1, 2, 47, 1},  {1, 1, 259, 20}, {1, 1, 9, 150}};

// A gaussian of level w, or where that is negative a kernel of random signs that does not fall off.
std::vector<double> half_kernel(double w, std::size_t half) {
  std::vector<double> taps(half + 1, w == 0.0 ? 0.0 : 1.0);
  taps[0] = 1.0;
  for (std::size_t i = 1; i <= half && w != 0.0; ++i) {
    const auto x = static_cast<double>(i);
    taps[i] = w > 0.0 ? std::exp(-x * x / (2.0 * w * w)) : std::cos(3.7 * x);
  }
  return taps;
}

double sum_of(const std::vector<double>& half) {
  double sum = std::abs(half[0]);
  for (std::size_t i = 1; i < half.size(); ++i) sum += 2.0 * std::abs(half[i]);
  return sum;
}

// How far a pixel may be from the sum without rounding: a tap is rounded once and then every product or sum with it, in
// either direction, and what is left out of the kernel counts 2^-31.
double allowed(const shape& s, const std::vector<double>& half, double largest) {
  const auto terms = [&](std::size_t side) { return static_cast<double>(std::min(2 * half.size() - 1, side)); };
  const double u = 0x1p-24;
  return ((terms(s.height) + terms(s.width) + 3.0) * u + 0x1p-31) * sum_of(half) * sum_of(half) * largest;
}

template <class Be>
auto correlated(Be& be, const std::vector<double>& kernels, std::size_t count, const std::vector<float>& x,
                const shape& s) {
  auto k = be.template make<double>({count, 1, 1, kernels.size() / count});
  auto in = be.template make<float>(s), out = be.template make<float>(s);
  be.upload(kernels.data(), k.view());
  be.upload(x.data(), in.view());
  be.template correlate_separably<float>(k.view(), in.view(), out.view());
  return values_of(be, out.view());
}

std::vector<level> levels_of(std::size_t images) {
  std::vector<level> levels;
  for (std::size_t i = 0; i < images; ++i) levels.push_back(level{0.45 * static_cast<double>(i * i)});
  return levels;
}

template <class T, class Be>
auto blurred(Be& be, const gaussian_blur& op, per_image<level> levels, const std::vector<T>& x, const shape& s) {
  auto in = be.template make<T>(s), out = be.template make<T>(s);
  be.upload(x.data(), in.view());
  op.apply<Be, T>(be, levels, in.view(), out.view());
  return values_of(be, out.view());
}

}  // namespace

TEST_CASE("tiles correlate every plane with every kernel", "[backend]") {
  tbb_backend be{2};
  for (const shape& s : extents) {
    const auto x = values_of(be, random_batch<float>(be, s, 3).view());
    double largest = 0.0;
    for (const float v : x) largest = std::max(largest, std::abs(static_cast<double>(v)));
    const std::vector<double> exact_x(x.begin(), x.end());
    for (const double w : {0.0, 0.1, 0.4, 1.0, 2.5, 40.0, -1.0})
      for (const std::size_t half : {0u, 1u, 2u, 5u, 13u, 28u, 160u}) {
        const auto kernel = half_kernel(w, half);
        std::vector<double> exact(s.size()), scratch(s.plane());
        for (std::size_t i = 0; i < s.images; ++i)
          detail::correlate_separably(kernel.data(), half, s, exact_x.data() + i * s.per_image(),
                                      exact.data() + i * s.per_image(), scratch.data());
        const auto fast = correlated(be, kernel, 1, x, s);
        double worst = 0.0;
        for (std::size_t i = 0; i < fast.size(); ++i) worst = std::max(worst, std::abs(exact[i] - fast[i]));
        CAPTURE(s.height, s.width, w, half);
        CHECK(worst <= allowed(s, kernel, largest));
        if (w == 0.0) CHECK((fast == x));
      }
  }
}

TEST_CASE("only taps that count for nothing are left out", "[backend]") {
  CHECK(detail::reach_of(std::vector<double>{1.0}.data(), 0) == 0);
  CHECK(detail::reach_of(std::vector<double>{0.0, 0.0, 0.0}.data(), 2) == 0);
  CHECK(detail::reach_of(std::vector<double>{0.0, 0.0, 1e-300}.data(), 2) == 2);
  // The sum of all magnitudes is 2 but for the taps themselves.
  CHECK(detail::reach_of(std::vector<double>{1.0, -0.5, 0x1p-32, 0x1p-33}.data(), 3) == 2);
  CHECK(detail::reach_of(std::vector<double>{1.0, -0.5, 0x1p-33, -0x1p-33}.data(), 3) == 1);
  const double none = std::numeric_limits<double>::quiet_NaN();
  CHECK(detail::reach_of(std::vector<double>{1.0, 0.0, none, 0.0}.data(), 3) >= 2);
}

TEST_CASE("a blur on threads is that on one, and image by image", "[backend]") {
  const shape s{5, 2, 261, 39};
  tbb_backend one{1};
  const auto x = values_of(one, random_batch<float>(one, s, 4).view());
  const auto levels = levels_of(s.images);
  const gaussian_blur op{.half_width = 30};
  const per_image<level> each{std::span<const level>{levels}};
  const auto expected = blurred(one, op, each, x, s);
  for (const std::size_t threads : {2u, 3u, 7u, 16u}) {
    tbb_backend be{threads};
    CHECK((blurred(be, op, each, x, s) == expected));
  }
  for (std::size_t i = 0; i < s.images; ++i) {
    const auto at = [&](const std::vector<float>& all) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * s.per_image());
      return std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(s.per_image()));
    };
    CHECK((blurred(one, op, levels[i], at(x), s.with_images(1)) == at(expected)));
  }
}

TEST_CASE("one level for all is that level for each, and level 0 changes nothing", "[backend]") {
  tbb_backend fast{2};
  serial_backend plain;
  for (const shape& s : {shape{4, 1, 28, 28}, shape{3, 3, 8, 6}, shape{2, 1, 3, 2}}) {
    const auto x = values_of(plain, random_batch<float>(plain, s, 5).view());
    const gaussian_blur op{.half_width = 9};
    for (const double w : {0.0, 0.02, 0.7, 6.0}) {
      const std::vector<level> same(s.images, level{w});
      const per_image<level> each{std::span<const level>{same}};
      CHECK((blurred(fast, op, level{w}, x, s) == blurred(fast, op, each, x, s)));
      CHECK((blurred(plain, op, level{w}, x, s) == blurred(plain, op, each, x, s)));
      if (w < 0.1) CHECK((blurred(fast, op, level{w}, x, s) == x));
    }
  }
}

TEST_CASE("double is blurred as by the serial backend", "[backend]") {
  tbb_backend fast{2};
  serial_backend plain;
  for (const shape& s : extents) {
    const auto x = values_of(plain, random_batch<double>(plain, s, 6).view());
    const auto levels = levels_of(s.images);
    const gaussian_blur op{.half_width = 28};
    const per_image<level> each{std::span<const level>{levels}};
    const auto a = blurred(fast, op, each, x, s), b = blurred(plain, op, each, x, s);
    double worst = 0.0, largest = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      worst = std::max(worst, std::abs(a[i] - b[i]));
      largest = std::max(largest, std::abs(x[i]));
    }
    // Two sums of up to 57 products, of weights that add up to 1, in either order.
    CHECK(worst <= 2.0 * 2.0 * 58.0 * 0x1p-53 * largest);
  }
}

TEST_CASE("a blur by tiles obeys the laws of operators", "[backend]") {
  tbb_backend be{2};
  const law_trials trials{.level_max = 7.0, .extents = {{5, 3, 7, 9}, {4, 1, 28, 28}, {3, 2, 19, 33}, {3, 3, 1, 16}}};
  for (const std::size_t half : {1u, 5u, 28u}) {
    const law_report report = check_laws<float>(gaussian_blur{.half_width = half}, be, trials);
    CAPTURE(report);
    CHECK(report.holds());
    CHECK(report.findings.size() >= 5);
  }
}
