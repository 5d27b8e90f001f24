// The numbers of the families: the blur and the mask of Daras et al. 2022, the eraser of Knottenbelt n.d., and `fade`
// (docs/decisions/0005).
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>

#include "printed.hpp"
#include "random_batch.hpp"
#include "worse.hpp"

using namespace softscore;

namespace {

template <class Op, class Be, class T>
auto applied(const Op& op, Be& be, level w, view<T, host_space> x) {
  auto out = be.template make<std::remove_const_t<T>>(x.extent());
  degradation<Op>::apply(op, be, w, x, out.view());
  return values_of(be, out.view());
}

// An image of ones after the operator: the diagonal itself, where it is one.
template <class Op, class Be>
std::vector<double> of_ones(const Op& op, Be& be, level w, shape extent) {
  auto x = be.template make<double>(extent);
  be.for_each([](double& v) { v = 1.0; }, x.view());
  return applied(op, be, w, x.view());
}

// Daras et al. 2022, Appendix D, word by word: a two-dimensional kernel, its sum over the whole square, zeros outside
// the image.
template <class T>
std::vector<double> blurred_by_definition(std::size_t half_width, double w, const std::vector<T>& x, const shape& s) {
  const auto half = static_cast<std::ptrdiff_t>(half_width);
  const auto weight = [&](std::ptrdiff_t i, std::ptrdiff_t j) {
    if (w < 1e-100) return i == 0 && j == 0 ? 1.0 : 0.0;
    return std::exp(-static_cast<double>(i * i + j * j) / (2 * w * w));
  };
  double sum = 0;
  for (std::ptrdiff_t i = -half; i <= half; ++i)
    for (std::ptrdiff_t j = -half; j <= half; ++j) sum += weight(i, j);
  const auto height = static_cast<std::ptrdiff_t>(s.height), width = static_cast<std::ptrdiff_t>(s.width);
  std::vector<double> out(x.size());
  for (std::size_t plane = 0; plane < s.images * s.channels; ++plane)
    for (std::ptrdiff_t r = 0; r < height; ++r)
      for (std::ptrdiff_t c = 0; c < width; ++c) {
        double value = 0;
        for (std::ptrdiff_t i = std::max(-half, -r); i <= std::min(half, height - 1 - r); ++i)
          for (std::ptrdiff_t j = std::max(-half, -c); j <= std::min(half, width - 1 - c); ++j)
            value += weight(i, j) / sum *
                     static_cast<double>(x[plane * s.plane() + static_cast<std::size_t>((r + i) * width + c + j)]);
        out[plane * s.plane() + static_cast<std::size_t>(r * width + c)] = value;
      }
  return out;
}

template <class A, class B>
double largest_difference(const A& a, const B& b) {
  double most = a.size() == b.size() ? 0.0 : HUGE_VAL;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = worse(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return most;
}

}  // namespace

TEMPLATE_TEST_CASE("the blur is its definition word by word", "[operator]", serial_backend, tbb_backend) {
  TestType be;
  // Half widths below, at and far above the image's sides.
  for (const std::size_t half : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{8}, std::size_t{40}})
    for (const shape& extent :
         {shape{2, 1, 9, 9}, shape{1, 2, 5, 14}, shape{1, 1, 17, 3}, shape{1, 1, 1, 6}, shape{3, 1, 1, 1}}) {
      const auto x = random_batch<double>(be, extent, 7);
      const auto y = random_batch<float>(be, extent, 7);
      for (const double w : {0.0, 1e-200, 0.01, 0.3, 1.0, 4.0, 23.0}) {
        CAPTURE(half, extent, w);
        const auto expected = blurred_by_definition(half, w, values_of(be, x.view()), extent);
        // Two passes of sums of at most 17 products of numbers below 4 with weights that add up to at most 1.
        CHECK(largest_difference(applied(gaussian_blur{half}, be, level{w}, x.view()), expected) <
              2 * 17 * 4 * 1.2e-16);
        const auto rough = blurred_by_definition(half, w, values_of(be, y.view()), extent);
        CHECK(largest_difference(applied(gaussian_blur{half}, be, level{w}, y.view()), rough) < 2 * 17 * 4 * 6e-8);
      }
    }
}

TEMPLATE_TEST_CASE("the blur loses the reference mass at the edge", "[operator]", serial_backend, tbb_backend) {
  TestType be;
  const auto check = [&](std::size_t half, double w, std::size_t side, double center, double corner, double mean) {
    const auto ones = of_ones(gaussian_blur{half}, be, level{w}, shape{1, 1, side, side});
    double sum = 0;
    for (const double v : ones) sum += v;
    // Printed with 6 decimals.
    CHECK_THAT(ones[side / 2 * side + side / 2], Catch::Matchers::WithinAbs(center, 5e-7));
    CHECK_THAT(ones[0], Catch::Matchers::WithinAbs(corner, 5e-7));
    CHECK_THAT(sum / static_cast<double>(side * side), Catch::Matchers::WithinAbs(mean, 5e-7));
  };
  check(80, 23.0, 64, 0.699212, 0.256064, 0.510105);
  check(32, 18.0, 32, 0.453747, 0.257065, 0.374128);
}

TEMPLATE_TEST_CASE("the blur's kernel and its work on a line have the reference values", "[operator]", serial_backend,
                   tbb_backend) {
  TestType be;
  auto impulse = be.template make<double>(shape{1, 1, 1, 7});
  impulse.view()[3] = 1.0;
  // On one row the vertical kernel multiplies by its center.
  const auto line = applied(gaussian_blur{3}, be, level{1.0}, impulse.view());
  double sum = 0;
  for (int i = -3; i <= 3; ++i) sum += std::exp(-0.5 * i * i);
  const auto kernel = [&](int i) { return std::exp(-0.5 * i * i) / sum; };
  const char* printed[] = {".00443304817524", ".0540055826224", ".242036229376", ".399050279652"};
  for (std::size_t i = 0; i < 4; ++i)
    for (const std::size_t at : {i, 6 - i}) {
      CHECK_THAT(line[at] / kernel(0), as_printed(printed[i]));
      CHECK_THAT(line[at] / kernel(0), Catch::Matchers::WithinAbs(kernel(3 - static_cast<int>(i)), 1e-12));
    }
  auto ramp = be.template make<double>(shape{1, 1, 1, 5});
  for (std::size_t i = 0; i < 5; ++i) ramp.view()[i] = static_cast<double>(i);
  const auto blurred = applied(gaussian_blur{3}, be, level{1.0}, ramp.view());
  const char* of_ramp[] = {"0.363346539147", "1.06287167897", "1.98226780730", "2.70337379784", "2.43475402016"};
  for (int i = 0; i < 5; ++i) {
    const double found = blurred[static_cast<std::size_t>(i)] / kernel(0);
    double wanted = 0;
    for (int j = std::max(0, i - 3); j <= std::min(4, i + 3); ++j) wanted += kernel(j - i) * j;
    CHECK_THAT(found, as_printed(of_ramp[i]));
    CHECK_THAT(found, Catch::Matchers::WithinAbs(wanted, 1e-12));
  }
}

TEST_CASE("blurs do not compose under zero padding", "[operator]") {
  // Own derivation: |A3 A4 - A5| = 0.0333 on 16 pixels, the largest entry of the difference of the matrices along a
  // line. On one row the vertical kernel multiplies by its center, whose square is what a single pixel keeps.
  serial_backend be;
  const shape line{16, 1, 1, 16};
  const auto along_a_line = [&](double w, view<const double, host_space> x) {
    auto out = be.make<double>(line);
    gaussian_blur{80}.apply(be, level{w}, x, out.view());
    const double center = std::sqrt(of_ones(gaussian_blur{80}, be, level{w}, shape{1, 1, 1, 1})[0]);
    be.combine(out.view(), term{1 / center, out.view()});
    return out;
  };
  auto units = be.make<double>(line);
  for (std::size_t i = 0; i < 16; ++i) units.view()[i * 16 + i] = 1.0;
  const auto both = along_a_line(3.0, along_a_line(4.0, units.view()).view()), five = along_a_line(5.0, units.view());
  CHECK_THAT(largest_difference(values_of(be, both.view()), values_of(be, five.view())),
             Catch::Matchers::WithinAbs(0.0333, 5e-5));
}

TEMPLATE_TEST_CASE("the mask is a projection that keeps a centered square", "[operator]", serial_backend, tbb_backend) {
  TestType be;
  const shape square{1, 1, 28, 28};
  for (std::size_t side = 0; side <= 28; ++side) {
    const auto kept = of_ones(centered_mask{}, be, level{28.0 - static_cast<double>(side)}, square);
    std::size_t ones = 0;
    bool binary = true, inside = true;
    for (std::size_t i = 0; i < 784; ++i) {
      binary = binary && (kept[i] == 0.0 || kept[i] == 1.0);
      if (kept[i] != 1.0) continue;
      ++ones;
      // Centered: as far from one edge as from the other, to one pixel.
      const std::size_t first = (28 - side) / 2;
      inside = inside && i / 28 >= first && i / 28 < first + side && i % 28 >= first && i % 28 < first + side;
    }
    CHECK(binary);
    CHECK(inside);
    CHECK(ones == side * side);
  }
  // C^T C = C C = C, also where the sides differ and between two levels.
  const shape extent{3, 2, 7, 10};
  const auto x = random_batch<double>(be, extent, 8);
  for (const double w : {0.0, 1.0, 2.4, 2.6, 6.0, 7.0, 9.0, 10.0}) {
    auto once = be.template make<double>(extent);
    degradation<centered_mask>::apply(centered_mask{}, be, level{w}, x.view(), once.view());
    CHECK((applied(centered_mask{}, be, level{w}, once.view()) == values_of(be, once.view())));
  }
  CHECK((of_ones(centered_mask{}, be, level{2.4}, extent) == of_ones(centered_mask{}, be, level{2.0}, extent)));
  CHECK((of_ones(centered_mask{}, be, level{2.6}, extent) == of_ones(centered_mask{}, be, level{3.0}, extent)));
}

TEMPLATE_TEST_CASE("fade is 1 - w m, with m from the center outwards", "[operator]", serial_backend, tbb_backend) {
  TestType be;
  const auto faded = of_ones(fade{}, be, level{0.5}, shape{1, 1, 3, 5});
  // m is 4/5 in the outer columns, 2/3 in the outer rows, 2/5 in the inner columns of the middle row.
  const std::vector<double> m{4. / 5, 2. / 3, 2. / 3, 2. / 3, 4. / 5, 4. / 5, 2. / 5, 0,
                              2. / 5, 4. / 5, 4. / 5, 2. / 3, 2. / 3, 2. / 3, 4. / 5};
  for (std::size_t i = 0; i < 15; ++i) CHECK_THAT(faded[i], Catch::Matchers::WithinAbs(1 - 0.5 * m[i], 1e-15));
}

TEMPLATE_TEST_CASE("the eraser is that of Knottenbelt n.d. and has the reference sums", "[operator]", serial_backend,
                   tbb_backend) {
  TestType be;
  const eraser head;
  const shape extent{1, 1, 28, 28};
  CHECK(head.heads() == 219);
  CHECK(head.severities() == 100);
  const auto left = [&](double t) { return of_ones(head, be, level{t}, extent); };
  const auto sum_and_zeros = [&](double t) {
    double sum = 0;
    std::size_t zeros = 0;
    for (const double v : left(t)) {
      sum += v;
      zeros += v == 0.0 ? 1 : 0;
    }
    return std::pair{sum, zeros};
  };
  for (const auto& [t, sum, zeros] : {std::tuple{1.0, "739.413688057", std::size_t{25}},
                                      {16.0, "561.226173091", 149},
                                      {50.0, "220.805955778", 452}}) {
    CHECK_THAT(sum_and_zeros(t).first, as_printed(sum));
    CHECK(sum_and_zeros(t).second == zeros);
  }
  // k(1) = round(2.19): the first two heads of the line from (3, 0) to (0, 4), by their formula.
  double two_heads = 0;
  for (int row = 0; row < 28; ++row)
    for (int column = 0; column < 28; ++column) {
      const auto head_at = [&](int r, int c) {
        const int square = (row - r) * (row - r) + (column - c) * (column - c);
        return square <= 9 ? 0.0 : 1 - std::exp(-square / 18.0);
      };
      two_heads += head_at(3, 0) * head_at(2, 1);
    }
  // 784 numbers below 1.
  CHECK_THAT(sum_and_zeros(1.0).first, Catch::Matchers::WithinAbs(two_heads, 1e-12 * 739));
  // k(0) = 0: nothing is erased at the start.
  CHECK((left(0.0) == std::vector<double>(784, 1.0)));
  // All is gone from the 215th head on, so the last three severities are one state.
  CHECK((left(98.0) == std::vector<double>(784, 0.0)));
  CHECK((left(99.0) == left(98.0)));
  CHECK((left(100.0) == left(98.0)));
  CHECK((left(97.0) != left(98.0)));
  // One head at level 0, as the author's clamp leaves, is not that.
  CHECK((of_ones(eraser{28, 28, 219}, be, level{1.0}, extent) != left(0.0)));
  // One head a severity: the edge of the first, at row 3 and column 0, jumps from 0 at rho^2 = 9 to .426247 at 10.
  const auto first = of_ones(eraser{28, 28, 219}, be, level{1.0}, extent);
  CHECK(first[3 * 28 + 3] == 0.0);
  CHECK_THAT(first[4 * 28 + 3], Catch::Matchers::WithinAbs(0.426247, 5e-7));
  CHECK_THAT(first[27 * 28 + 27], Catch::Matchers::WithinAbs(-std::expm1(-(24.0 * 24 + 27 * 27) / 18), 1e-15));
  const auto before_last = of_ones(eraser{28, 28, 219}, be, level{214.0}, extent);
  const auto last = of_ones(eraser{28, 28, 219}, be, level{215.0}, extent);
  CHECK(std::any_of(before_last.begin(), before_last.end(), [](double v) { return v > 0.0; }));
  CHECK((last == std::vector<double>(784, 0.0)));
}
