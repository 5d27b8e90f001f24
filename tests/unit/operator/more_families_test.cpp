// The numbers of the families beyond those of the recipes (heat equation: Rissanen et al. 2022; bicubic kernel: Keys
// 1981), each against its definition or a closed form.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/operator/bicubic_downsampling.hpp>
#include <softscore/operator/box_downsampling.hpp>
#include <softscore/operator/color_removal.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/fft_blur.hpp>
#include <softscore/operator/free_form_mask.hpp>
#include <softscore/operator/kernel_blur.hpp>
#include <softscore/operator/motion_blur.hpp>
#include <softscore/operator/periodic_blur.hpp>
#include <softscore/operator/random_mask.hpp>

#include "printed.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {

// C_w of an image whose elements are f(channel, row, column).
template <class Op>
std::vector<double> applied(const Op& op, double w, const shape& s,
                            const std::function<double(std::size_t, std::size_t, std::size_t)>& f) {
  serial_backend be;
  auto x = be.make<double>(s), out = be.make<double>(s);
  for (std::size_t i = 0; i < s.size(); ++i) {
    const std::size_t inside = i % s.per_image();
    x.view()[i] = f(inside / s.plane(), inside / s.width % s.height, inside % s.width);
  }
  degradation<Op>::apply(op, be, level{w}, x.view(), out.view());
  return values_of(be, out.view());
}
template <class Op>
std::vector<double> of_ones(const Op& op, double w, const shape& s) {
  return applied(op, w, s, [](std::size_t, std::size_t, std::size_t) { return 1.0; });
}
double column(std::size_t, std::size_t, std::size_t c) { return static_cast<double>(c); }

}  // namespace

TEST_CASE("the heat equation has the reference values", "[operator]") {
  const shape line{1, 1, 1, 8};
  const auto warm = applied(dct_blur{}, 1.0, line, column);
  // The second half mirrors the first about 3.5.
  const char* printed[] = {"0.42706835456", "1.06792999504", "2.00488273959", "3.00009562288"};
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK_THAT(i < 4 ? warm[i] : 7.0 - warm[i], as_printed(printed[i < 4 ? i : 7 - i]));
    // The sum over modes k of (2 - (k == 0)) / 8 <cos_k, ramp> cos_k exp(-(pi k / 8)^2 / 2).
    double wanted = 0;
    for (int k = 0; k < 8; ++k) {
      const auto wave = [k](std::size_t at) {
        return std::cos(std::numbers::pi * k * (static_cast<double>(at) + 0.5) / 8.0);
      };
      double share = 0;
      for (std::size_t j = 0; j < 8; ++j) share += wave(j) * static_cast<double>(j);
      wanted += (k == 0 ? 0.125 : 0.25) * share * wave(i) * std::exp(-0.5 * std::pow(std::numbers::pi * k / 8.0, 2));
    }
    CHECK_THAT(warm[i], WithinAbs(wanted, 1e-12));
  }
  // A cosine of half a period over 32 pixels is a mode: it shrinks by one factor.
  const shape grid{1, 1, 32, 32};
  const auto wave = [](std::size_t, std::size_t y, std::size_t) {
    return std::cos(std::numbers::pi * (static_cast<double>(y) + 0.5) / 32.0);
  };
  const auto faded = applied(dct_blur{}, 24.0, grid, wave);
  const double factor = std::exp(-0.5 * std::pow(24.0 * std::numbers::pi / 32.0, 2));
  CHECK_THAT(factor, as_printed("0.0622979824710"));
  // Four passes of sums of 32 products of numbers up to 1.
  for (std::size_t i = 0; i < 1024; ++i) CHECK_THAT(faded[i], WithinAbs(factor * wave(0, i / 32, 0), 4 * 32 * 1.2e-16));
}

TEST_CASE("blurs in modes keep the mean, and end in it", "[operator]") {
  const shape image{1, 1, 7, 6};
  const auto bump = [](std::size_t, std::size_t y, std::size_t x) { return y == 2 && x == 5 ? 42.0 : 0.0; };
  for (const double w : {0.5, 3.0, 60.0}) {
    double heat = 0.0, circle = 0.0;
    for (const double v : applied(dct_blur{}, w, image, bump)) heat += v / 42.0;
    for (const double v : applied(fft_blur{}, w, image, bump)) circle += v / 42.0;
    CHECK_THAT(heat, WithinAbs(1.0, 1e-14));
    CHECK_THAT(circle, WithinAbs(1.0, 1e-14));
  }
  // exp(-(60 pi / 7)^2 / 2) is nothing.
  for (const double v : applied(dct_blur{}, 60.0, image, bump)) CHECK_THAT(v, WithinAbs(1.0, 1e-13));
  for (const double v : applied(fft_blur{}, 60.0, image, bump)) CHECK_THAT(v, WithinAbs(1.0, 1e-13));
}

TEST_CASE("the circular blur is a Gaussian wrapped around, wherever the bump lies", "[operator]") {
  // Poisson's sum: a mode's gain is the transform of a Gaussian, so on a line of n pixels a bump becomes the sum over
  // all its images n apart, but for frequencies above half a turn per pixel: those are exp(-(pi w)^2 / 2) or less.
  for (const std::size_t n : {std::size_t{9}, std::size_t{12}}) {
    const double w = 2.5;
    for (const std::size_t place : {std::size_t{0}, std::size_t{4}, n - 1}) {
      const auto blurred = applied(fft_blur{}, w, shape{1, 1, 1, n},
                                   [&](std::size_t, std::size_t, std::size_t x) { return x == place ? 1.0 : 0.0; });
      for (std::size_t x = 0; x < n; ++x) {
        double wrapped = 0.0;
        for (int turn = -8; turn <= 8; ++turn) {
          const double apart = static_cast<double>(x) - static_cast<double>(place) + turn * static_cast<double>(n);
          wrapped += std::exp(-apart * apart / (2.0 * w * w)) / (w * std::sqrt(2.0 * std::numbers::pi));
        }
        CHECK_THAT(blurred[x], WithinAbs(wrapped, 2.0 * std::exp(-0.5 * std::pow(std::numbers::pi * w, 2))));
      }
    }
  }
}

TEST_CASE("a streak spreads a bright pixel evenly over its length", "[operator]") {
  const shape image{1, 1, 9, 9};
  const auto bump = [](std::size_t, std::size_t y, std::size_t x) { return y == 4 && x == 4 ? 1.0 : 0.0; };
  // Every copy gives the pixels to its two sides what bilinear reading gives: 1 less the distance to it.
  for (const bool upright : {false, true}) {
    const auto streak = applied(motion_blur{.degrees = upright ? 90.0 : 0.0}, 3.0, image, bump);
    for (std::size_t i = 0; i < 81; ++i) {
      const std::size_t along = upright ? i / 9 : i % 9, across = upright ? i % 9 : i / 9;
      double expected = 0.0;
      for (int k = 0; k < 32 && across == 4; ++k) {
        const double place = 4.0 + (static_cast<double>(2 * k + 1) / 32.0 - 1.0) * 1.5;
        expected += std::max(0.0, 1.0 - std::abs(place - static_cast<double>(along))) / 32.0;
      }
      // cos 90 degrees is 6e-17, so a copy strays that far times its place.
      CHECK_THAT(streak[i], WithinAbs(expected, 5e-16));
    }
  }
  // Nothing is lost inside, part is lost over the edge.
  double inside = 0.0, edge = 0.0;
  for (const double v : applied(motion_blur{.degrees = 30.0}, 5.0, image, bump)) inside += v;
  for (const double v : applied(motion_blur{.degrees = 30.0}, 5.0, image,
                                [](std::size_t, std::size_t y, std::size_t x) { return y == 4 && x == 0 ? 1.0 : 0.0; }))
    edge += v;
  CHECK_THAT(inside, WithinAbs(1.0, 1e-14));
  CHECK(edge < 0.7);
}

TEST_CASE("a bright pixel becomes the kernel", "[operator]") {
  const shape image{1, 1, 5, 5};
  const kernel_blur op{3, 5, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
  const auto bump = [](std::size_t, std::size_t y, std::size_t x) { return y == 1 && x == 3 ? 1.0 : 0.0; };
  const auto blurred = applied(op, 1.0, image, bump), half = applied(op, 0.5, image, bump);
  for (std::size_t y = 0; y < 5; ++y)
    for (std::size_t x = 0; x < 5; ++x) {
      // Row y - 1 + 1 and column x - 3 + 2 of the kernel.
      const double weight = y <= 2 && x >= 1 ? static_cast<double>(y * 5 + x - 1 + 1) : 0.0;
      CHECK(blurred[y * 5 + x] == weight);
      CHECK(half[y * 5 + x] == 0.5 * weight + (y == 1 && x == 3 ? 0.5 : 0.0));
    }
  CHECK_REFUSED((kernel_blur{2, 3, std::vector<double>(6)}), "height of the kernel is 2, but it must be odd");
  CHECK_REFUSED((kernel_blur{3, 4, std::vector<double>(12)}), "width of the kernel is 4, but it must be odd");
  CHECK_REFUSED((kernel_blur{3, 3, std::vector<double>(8)}), "number of weights is 8");
  CHECK_REFUSED((kernel_blur{1, 1, {std::nan("")}}), "a weight of the kernel is nan, but it must be finite");
}

TEST_CASE("on a torus the kernel comes back on the other side, and waves keep their shape", "[operator]") {
  const shape image{1, 1, 5, 6};
  const periodic_blur op{3, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  const auto bump = [](std::size_t, std::size_t y, std::size_t x) { return y == 0 && x == 5 ? 1.0 : 0.0; };
  const auto blurred = applied(op, 1.0, image, bump);
  for (std::size_t y = 0; y < 5; ++y)
    for (std::size_t x = 0; x < 6; ++x) {
      // Distances to the bump, around the torus, plus 1.
      const std::size_t down = (y + 1) % 5, across = (x + 2) % 6;
      CHECK(blurred[y * 6 + x] == (down < 3 && across < 3 ? static_cast<double>(3 * down + across + 1) : 0.0));
    }
  // A shift by one pixel to the right turns phases only: all singular values are 1.
  const periodic_blur shift{1, 3, {0, 0, 1}};
  const auto parts = degradation<periodic_blur>::svd(shift, level{1.0}, image);
  for (const double v : parts.values()) CHECK_THAT(v, WithinAbs(1.0, 1e-15));
  // The mean of a pixel and its right neighbor removes the wave that alternates along the rows, and cos(pi f) is left
  // of one with f periods per pixel.
  const periodic_blur pair{1, 3, {0, 0.5, 0.5}};
  const auto cosines = degradation<periodic_blur>::svd(pair, level{1.0}, shape{1, 1, 1, 6});
  const double wanted[6] = {1.0, std::sqrt(0.75), std::sqrt(0.75), 0.5, 0.5, 0.0};
  for (std::size_t k = 0; k < 6; ++k) CHECK_THAT(cosines.values()[k], WithinAbs(wanted[k], 1e-15));
  CHECK(cosines.values()[5] == 0.0);
}

TEST_CASE("a random mask hides its share, the same for every image and channel, and more at every level",
          "[operator]") {
  const shape image{2, 3, 100, 100};
  const random_mask op{{.seed = 4}};
  std::vector<double> before(image.size(), 1.0);
  for (const double w : {0.0, 0.1, 0.5, 0.9, 1.0}) {
    const auto kept = of_ones(op, w, image);
    double share = 0.0;
    bool nested = true, alike = true;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      share += kept[i] / static_cast<double>(kept.size());
      nested = nested && kept[i] <= before[i];
      alike = alike && kept[i] == kept[i % image.plane()];
    }
    // A mean of 10,000 draws, five deviations of sqrt(w (1 - w) / 10,000); exact at the ends.
    CHECK(std::abs(share - (1.0 - w)) <= 5.0 * std::sqrt(w * (1.0 - w) / 10000.0) + 1e-11);
    CHECK(nested);
    CHECK(alike);
    before = kept;
  }
  const auto other = of_ones(random_mask{{.seed = 5}}, 0.5, image);
  CHECK((other != of_ones(op, 0.5, image)));
}

TEST_CASE("a free-form mask hides what the user says, when the user says", "[operator]") {
  const double never = std::numeric_limits<double>::infinity();
  const free_form_mask op{2, 3, {0.0, 1.0, 2.0, never, 0.5, 1.0}};
  const shape image{1, 2, 2, 3};
  const auto kept = [&](double w) {
    auto both = of_ones(op, w, image);
    CHECK((std::vector<double>(both.begin() + 6, both.end()) == std::vector<double>(both.begin(), both.begin() + 6)));
    both.resize(6);
    return both;
  };
  CHECK((kept(0.0) == std::vector<double>(6, 1.0)));
  CHECK((kept(0.1) == std::vector<double>{0, 1, 1, 1, 1, 1}));
  CHECK((kept(1.0) == std::vector<double>{0, 1, 1, 1, 0, 1}));
  CHECK((kept(1.5) == std::vector<double>{0, 0, 1, 1, 0, 0}));
  CHECK((kept(1e9) == std::vector<double>{0, 0, 0, 1, 0, 0}));
  CHECK_REFUSED((free_form_mask{2, 2, {1, 2, 3}}), "length of seen_until is 3, but it must be height times width");
  CHECK_REFUSED((free_form_mask{0, 0, {}}), "length of seen_until is 0");
  CHECK_REFUSED((free_form_mask{1, 2, {0.0, -1.0}}), "a number of seen_until is -1, but it must be at least 0");
  CHECK_REFUSED((free_form_mask{1, 1, {std::nan("")}}), "a number of seen_until is nan");
  CHECK_REFUSED(of_ones(op, 0.0, shape{1, 1, 3, 2}), "as high and as wide as the mask, 2 x 3");
}

TEST_CASE("box down-sampling takes the mean of every block", "[operator]") {
  const shape image{1, 1, 5, 7};
  const auto f = [](std::size_t, std::size_t y, std::size_t x) { return static_cast<double>(y * y + 10 * x); };
  const auto level_of_3 = box_downsampling::at_factor(3).value;
  CHECK(level_of_3 == 2.0);
  const auto small = applied(box_downsampling{}, level_of_3, image, f);
  // Blocks of 3, 3 and 1 columns and of 3 and 2 rows: means of y^2 are 5/3 and 12.5, of 10 x are 10, 40 and 60.
  for (std::size_t y = 0; y < 5; ++y)
    for (std::size_t x = 0; x < 7; ++x)
      CHECK_THAT(small[y * 7 + x], WithinAbs((y < 3 ? 5.0 / 3.0 : 12.5) + (x < 3 ? 10.0 : x < 6 ? 40.0 : 60.0), 1e-13));
  // A projection of rank 2 x 3.
  const auto parts = degradation<box_downsampling>::svd(box_downsampling{}, level{2.0}, image);
  std::size_t ones = 0, zeros = 0;
  for (const double v : parts.values()) {
    if (std::abs(v - 1.0) < 1e-14) ++ones;
    if (v == 0.0) ++zeros;
  }
  CHECK(ones == 6);
  CHECK(zeros == 29);
  // A factor beyond the image leaves its mean.
  for (const double v : applied(box_downsampling{}, 99.0, image, f)) CHECK_THAT(v, WithinAbs(6.0 + 30.0, 1e-13));
}

TEST_CASE("bicubic down-sampling keeps constants, straight lines inside, and as many modes as the small image has",
          "[operator]") {
  const shape line{1, 1, 1, 40};
  for (const std::size_t factor : {std::size_t{2}, std::size_t{3}, std::size_t{4}}) {
    CAPTURE(factor);
    const double w = bicubic_downsampling::at_factor(factor).value;
    for (const double v : of_ones(bicubic_downsampling{}, w, shape{1, 1, 11, 13})) CHECK_THAT(v, WithinAbs(1.0, 1e-14));
    // Away from the edges, Keys' kernel interpolates straight lines exactly, and a stretched copy of it, symmetric
    // about the center of each small pixel, averages them to their value there.
    const auto ramp = applied(bicubic_downsampling{}, w, line, column);
    for (std::size_t x = 4 * factor; x < 40 - 5 * factor; ++x)
      CHECK_THAT(ramp[x], WithinAbs(static_cast<double>(x), 1e-13));
    const auto parts = bicubic_downsampling{}.svd(level{w}, line);
    CHECK(std::count_if(parts.values().begin(), parts.values().end(), [](double v) { return v > 0.0; }) ==
          static_cast<std::ptrdiff_t>((40 + factor - 1) / factor));
  }
  // The kernel's own numbers: factor 2 reads at distances 1/2, 3/2, 5/2, 7/2 of pixels, which the stretch halves;
  // 1.5 q^3 - 2.5 q^2 + 1 and -0.5 q^3 + 2.5 q^2 - 4 q + 2 at q = 1/4, 3/4, 5/4, 7/4.
  const double near[4] = {111.0 / 128, 29.0 / 128, -9.0 / 128, -3.0 / 128};
  // E then reads the small image at -1/4 of a small pixel from its center for an even place: distances 3/4, 1/4, 5/4
  // and 7/4, which are the same four numbers.
  const auto bump = [](std::size_t, std::size_t, std::size_t x) { return x == 20 ? 1.0 : 0.0; };
  const auto spread = applied(bicubic_downsampling{}, 1.0, line, bump);
  // Small pixel j has its center at 2 j + 1/2: 20 is at distance |20 - 2 j - 1/2| from it. The weights add up to 2.
  const auto reduced = [&](int j) {
    const int twice = std::abs(40 - 4 * j - 1);  // the distance, doubled: 1, 3, 5, 7
    return twice <= 7 ? near[twice / 2] / 2.0 : 0.0;
  };
  for (int x = 16; x <= 24; ++x) {
    double expected = 0.0;
    for (int j = x / 2 - 3; j <= x / 2 + 3; ++j) {
      const int quarters = std::abs(4 * j - 2 * x + 1);  // of a small pixel, from x to the center of j
      if (quarters <= 7) expected += near[quarters / 2] * reduced(j);
    }
    CHECK_THAT(spread[static_cast<std::size_t>(x)], WithinAbs(expected, 1e-15));
  }
}

TEST_CASE("color gives way to luminance", "[operator]") {
  const shape rgb{1, 3, 1, 2};
  // Red and gray.
  const auto f = [](std::size_t c, std::size_t, std::size_t x) { return x == 1 ? 0.4 : c == 0 ? 1.0 : 0.0; };
  const auto half = applied(color_removal{}, 0.5, rgb, f), none = applied(color_removal{}, 1.0, rgb, f);
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK_THAT(none[2 * c], WithinAbs(0.299, 1e-16));
    CHECK_THAT(half[2 * c], WithinAbs(0.5 * 0.299 + (c == 0 ? 0.5 : 0.0), 1e-15));
    CHECK_THAT(none[2 * c + 1], WithinAbs(0.4, 1e-15));
  }
  // Two channels share equally.
  const auto two = applied(color_removal{}, 1.0, shape{1, 2, 1, 1},
                           [](std::size_t c, std::size_t, std::size_t) { return c == 0 ? 3.0 : 1.0; });
  CHECK_THAT(two[0], WithinAbs(2.0, 1e-15));
  CHECK_THAT(two[1], WithinAbs(2.0, 1e-15));
  // |1 l^T| = sqrt(3) |l| is the most it amplifies.
  const auto parts = degradation<color_removal>::svd(color_removal{}, level{1.0}, shape{1, 3, 1, 1});
  CHECK_THAT(*std::max_element(parts.values().begin(), parts.values().end()),
             WithinAbs(std::sqrt(3.0 * (0.299 * 0.299 + 0.587 * 0.587 + 0.114 * 0.114)), 1e-14));
}
