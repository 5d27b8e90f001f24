// What every operator family owes: a true adjoint (textbook: <C x, y> = <x, C^T y>) at any level per image and any
// extent, the identity at level 0, and linearity; for the library's families and for users' own, made with each helper.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gathered.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/on_host.hpp>
#include <softscore/operator/scaling.hpp>

#include "random_batch.hpp"
#include "refusal.hpp"
#include "worse.hpp"

using namespace softscore;

// Types from elsewhere: they know nothing of softscore and are adapted from outside.
namespace elsewhere {
struct fog {
  float density;
};
struct motion {
  std::size_t pixels;
};
struct turbulence {};
}  // namespace elsewhere

template <>
struct softscore::degradation<elsewhere::fog> : softscore::diagonal<softscore::degradation<elsewhere::fog>> {
  static double entry(const elsewhere::fog& f, level w, const shape& s, pixel p) {
    return std::exp(-static_cast<double>(f.density) * w.value * static_cast<double>(p.row + p.channel) /
                    static_cast<double>(s.height));
  }
};

// out(x) = (1 - w) in(x) + w in(x + pixels): reads to the right only, so it is far from symmetric.
template <>
struct softscore::degradation<elsewhere::motion> : softscore::gathered<softscore::degradation<elsewhere::motion>> {
  template <class T>
  static double apply_pixel(const elsewhere::motion& m, level w, const shape& s, pixel p, const T* image) {
    const std::size_t at = p.offset(s);
    const double ahead = p.column + m.pixels < s.width ? static_cast<double>(image[at + m.pixels]) : 0.0;
    return (1 - w.value) * static_cast<double>(image[at]) + w.value * ahead;
  }
  template <class T>
  static double adjoint_pixel(const elsewhere::motion& m, level w, const shape& s, pixel p, const T* image) {
    const std::size_t at = p.offset(s);
    const double behind = p.column >= m.pixels ? static_cast<double>(image[at - m.pixels]) : 0.0;
    return (1 - w.value) * static_cast<double>(image[at]) + w.value * behind;
  }
};

// Each element gets w times the sum of all before it: a lower triangular matrix over all channels.
template <>
struct softscore::degradation<elsewhere::turbulence>
    : softscore::on_host<softscore::degradation<elsewhere::turbulence>> {
  template <class T>
  static void apply_image(const elsewhere::turbulence&, level w, const shape&, std::span<const T> in,
                          std::span<T> out) {
    T sum{};
    for (std::size_t i = 0; i < in.size(); ++i) {
      out[i] = in[i] + static_cast<T>(w.value) * sum;
      sum += in[i];
    }
  }
  template <class T>
  static void transpose_image(const elsewhere::turbulence&, level w, const shape&, std::span<const T> in,
                              std::span<T> out) {
    T sum{};
    for (std::size_t i = in.size(); i-- > 0;) {
      out[i] = in[i] + static_cast<T>(w.value) * sum;
      sum += in[i];
    }
  }
};

namespace {

static_assert(LinearOperator<elsewhere::fog> && LinearOperator<elsewhere::motion> &&
              LinearOperator<elsewhere::turbulence>);
static_assert(!LinearOperator<int> && !LinearOperator<shape>);

template <class Op, class Be, class T>
auto applied(const Op& op, Be& be, per_image<level> levels, view<T, host_space> x) {
  auto out = be.template make<std::remove_const_t<T>>(x.extent());
  degradation<Op>::apply(op, be, levels, x, out.view());
  return out;
}
template <class Op, class Be, class T>
auto adjoint_of(const Op& op, Be& be, per_image<level> levels, view<T, host_space> y) {
  auto out = be.template make<std::remove_const_t<T>>(y.extent());
  degradation<Op>::adjoint(op, be, levels, y, out.view());
  return out;
}

const std::vector<shape>& extents() {
  // Odd and even, wide and high, one pixel, several channels, the size of the digits.
  static const std::vector<shape> all{{5, 1, 7, 7}, {4, 2, 5, 8}, {3, 3, 9, 4},  {2, 1, 1, 9},
                                      {2, 2, 6, 1}, {3, 1, 1, 1}, {2, 1, 28, 28}};
  return all;
}

// Calls check(operator, largest level) for every family, for images of that extent.
template <class Check>
void for_every_family(const shape& extent, const Check& check) {
  check(identity{}, 3.0);
  check(scaling{}, 2.0);
  check(gaussian_blur{.half_width = 5}, 4.0);
  check(gaussian_blur{}, 14.0);
  check(centered_mask{}, static_cast<double>(std::max(extent.height, extent.width)));
  check(fade{}, 1.0);
  check(eraser{extent.height, extent.width, 30}, 30.0);
  check(elsewhere::fog{2.0f}, 1.5);
  check(elsewhere::motion{1}, 1.0);
  check(elsewhere::motion{3}, 0.7);
  check(elsewhere::turbulence{}, 0.3);
}

// One level per image, from none to the largest.
std::vector<level> spread(std::size_t images, double largest) {
  std::vector<level> levels;
  for (std::size_t i = 0; i < images; ++i)
    levels.push_back(
        level{largest * static_cast<double>(i) / static_cast<double>(std::max<std::size_t>(1, images - 1))});
  return levels;
}

template <class A>
double largest_difference(const A& a, const A& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.view().size(); ++i) {
    most = worse(most, std::abs(static_cast<double>(a.view()[i]) - static_cast<double>(b.view()[i])));
  }
  return most;
}

}  // namespace

TEMPLATE_TEST_CASE("the adjoint is the transpose", "[operator]", serial_backend, tbb_backend) {
  TestType be;
  for (const shape& extent : extents()) {
    CAPTURE(extent);
    for_every_family(extent, [&](const auto& op, double largest) {
      const auto levels = spread(extent.images, largest);
      const auto x = random_batch<double>(be, extent, 1), y = random_batch<double>(be, extent, 2);
      const auto check = [&](per_image<level> at) {
        const auto cx = applied(op, be, at, x.view()), cty = adjoint_of(op, be, at, y.view());
        std::vector<double> left(extent.images), right(extent.images), of_x(extent.images), of_y(extent.images);
        be.dot(cx.view(), y.view(), left.data());
        be.dot(x.view(), cty.view(), right.data());
        be.dot(x.view(), x.view(), of_x.data());
        be.dot(y.view(), y.view(), of_y.data());
        for (std::size_t i = 0; i < extent.images; ++i)
          CHECK(std::abs(left[i] - right[i]) <= 1e-12 * std::sqrt(of_x[i] * of_y[i]));
      };
      check(per_image<level>{std::span<const level>{levels}});
      check(level{0.6 * largest});
      check(level{largest});
    });
  }
}

TEMPLATE_TEST_CASE("the matrix of the adjoint is the transposed matrix", "[operator]", serial_backend, tbb_backend) {
  // From unit images: what a few random vectors could miss.
  TestType be;
  const shape extent{.images = 24, .channels = 2, .height = 3, .width = 4};
  auto units = be.template make<double>(extent);
  for (std::size_t i = 0; i < 24; ++i) units.view()[i * 24 + i] = 1.0;
  for_every_family(extent, [&](const auto& op, double largest) {
    const auto c = applied(op, be, level{0.6 * largest}, units.view());
    const auto ct = adjoint_of(op, be, level{0.6 * largest}, units.view());
    // Entries are at most 1 and are computed alike; only the order of a product may differ.
    for (std::size_t i = 0; i < 24; ++i)
      for (std::size_t j = 0; j < 24; ++j) CHECK(std::abs(c.view()[i * 24 + j] - ct.view()[j * 24 + i]) <= 4e-16);
  });
}

TEMPLATE_TEST_CASE("level 0 is the identity, to the bit", "[operator]", serial_backend, tbb_backend) {
  TestType be;
  for (const shape& extent : extents())
    for_every_family(extent, [&](const auto& op, double) {
      CAPTURE(extent);
      const auto in_double = random_batch<double>(be, extent, 3);
      CHECK(largest_difference(applied(op, be, level{0.0}, in_double.view()), in_double) == 0.0);
      CHECK(largest_difference(adjoint_of(op, be, level{0.0}, in_double.view()), in_double) == 0.0);
      const auto in_float = random_batch<float>(be, extent, 3);
      CHECK(largest_difference(applied(op, be, level{0.0}, in_float.view()), in_float) == 0.0);
    });
}

TEMPLATE_TEST_CASE("families are linear, and one level per image is that level for each image", "[operator]",
                   serial_backend, tbb_backend) {
  TestType be;
  for (const shape& extent : extents())
    for_every_family(extent, [&](const auto& op, double largest) {
      CAPTURE(extent);
      const auto levels = spread(extent.images, largest);
      const per_image<level> each{std::span<const level>{levels}};
      const auto x = random_batch<double>(be, extent, 4), y = random_batch<double>(be, extent, 5);
      auto sum = be.template make<double>(extent);
      be.combine(sum.view(), term{2.5, x.view()}, term{-0.5, y.view()});
      const auto cx = applied(op, be, each, x.view()), cy = applied(op, be, each, y.view());
      auto expected = be.template make<double>(extent);
      be.combine(expected.view(), term{2.5, cx.view()}, term{-0.5, cy.view()});
      // A sum of at most 784 products of numbers below 12: turbulence adds up a whole image.
      CHECK(largest_difference(applied(op, be, each, sum.view()), expected) < 1e-11);
      for (std::size_t i = 0; i < extent.images; ++i) {
        const auto alone = applied(op, be, levels[i], x.view().images(i, 1));
        bool same = true;
        for (std::size_t k = 0; k < extent.per_image(); ++k)
          same = same && alone.view()[k] == cx.view()[i * extent.per_image() + k];
        CHECK(same);
      }
    });
}

TEST_CASE("families give the same numbers on both host backends", "[operator]") {
  serial_backend serial;
  tbb_backend threads{2};
  for (const shape& extent : extents())
    for_every_family(extent, [&](const auto& op, double largest) {
      CAPTURE(extent);
      const auto levels = spread(extent.images, largest);
      const per_image<level> each{std::span<const level>{levels}};
      const auto x = random_batch<double>(serial, extent, 6);
      const auto y = random_batch<float>(serial, extent, 6);
      const double in_double =
          largest_difference(applied(op, serial, each, x.view()), applied(op, threads, each, x.view()));
      const double in_float =
          largest_difference(applied(op, serial, each, y.view()), applied(op, threads, each, y.view()));
      if constexpr (std::same_as<std::remove_cvref_t<decltype(op)>, gaussian_blur>) {
        // The backends sum in different orders, weights that add up to less than 1 times numbers below 5: two sums of
        // at most 28 terms after one another.
        CHECK(in_double < 2 * 28 * 5 * 1.2e-16);
        CHECK(in_float < 2 * 28 * 5 * 6e-8);
      } else {
        CHECK(in_double == 0.0);
        CHECK(in_float == 0.0);
      }
    });
}

TEST_CASE("the eraser refuses images that its path was not drawn for", "[operator]") {
  serial_backend be;
  const auto x = random_batch<float>(be, shape{2, 1, 28, 27}, 1);
  CHECK_REFUSED(
      applied(eraser{}, be, level{3.0}, x.view()),
      "the extent of the images is 2 x 1 x 28 x 27, but it must be as high and as wide as the eraser, 28 x 28");
  CHECK_REFUSED(eraser(0, 28, 100), "height is 0, but it must be at least 1");
  CHECK_REFUSED(eraser(28, 0, 100), "width is 0, but it must be at least 1");
  CHECK_REFUSED(eraser(28, 28, 0), "severities is 0, but it must be at least 1");
}
