// The two numbers of restored images. The golden file of metrics has what scikit-image computes.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <softscore/metric/psnr.hpp>
#include <softscore/metric/ssim.hpp>

#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {

using images = view<const double, host_space>;

std::vector<double> pattern(const shape& s, double phase) {
  std::vector<double> pixels(s.size());
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = 0.5 + 0.4 * std::sin(0.7 * static_cast<double>(i) + phase);
  return pixels;
}

}  // namespace

TEST_CASE("psnr is 20 decibels for an error of a tenth of the range, and the range is an option", "[metric]") {
  const shape s{2, 3, 2, 5};
  auto x = pattern(s, 0.0);
  const auto truth = x;
  for (std::size_t i = 0; i < s.per_image(); ++i) x[i] += i % 2 == 0 ? 0.1 : -0.1;
  const auto of_one = psnr<double>(images{x.data(), s}, images{truth.data(), s});
  REQUIRE(of_one.size() == 2);
  // The error's square is 0.01 to within a rounding of 0.5, 1e-16, over 0.1; a relative 2e-15 is 1e-14 decibels.
  CHECK_THAT(of_one[0], WithinAbs(20.0, 1e-13));
  CHECK(of_one[1] == std::numeric_limits<double>::infinity());
  const auto of_255 = psnr<double>(images{x.data(), s}, images{truth.data(), s}, 255.0);
  CHECK_THAT(of_255[0], WithinAbs(20.0 + 20.0 * std::log10(255.0), 1e-13));
}

// Wang et al. 2004, Section III.
TEST_CASE("ssim is 1 for equal images, and for constant ones the ratio of their means", "[metric]") {
  const shape s{2, 2, 11, 14};
  const auto x = pattern(s, 0.3);
  for (const double one : ssim<double>(images{x.data(), s}, images{x.data(), s}))
    CHECK_THAT(one, WithinAbs(1.0, 1e-14));
  // Constants a and b have no variance: (2 a b + c1) / (a^2 + b^2 + c1). Variances of rounding, 1e-16, stand beside
  // c2 = 9e-4.
  const std::vector<double> a(s.size(), 0.2), b(s.size(), 0.5);
  for (const double one : ssim<double>(images{a.data(), s}, images{b.data(), s}))
    CHECK_THAT(one, WithinAbs((0.2 + 1e-4) / (0.29 + 1e-4), 1e-12));
}

TEST_CASE("ssim of one window is its formula, and does not change when all scales", "[metric]") {
  const shape s{1, 1, 11, 11};
  const auto x = pattern(s, 0.0), y = pattern(s, 0.9);
  double whole = 0.0, mx = 0.0, my = 0.0, vx = 0.0, vy = 0.0, xy = 0.0;
  const auto weight = [](std::size_t i) {
    const double r = static_cast<double>(i / 11) - 5.0, c = static_cast<double>(i % 11) - 5.0;
    return std::exp(-(r * r + c * c) / (2.0 * 1.5 * 1.5));
  };
  for (std::size_t i = 0; i < s.size(); ++i) whole += weight(i);
  for (std::size_t i = 0; i < s.size(); ++i) {
    mx += weight(i) / whole * x[i];
    my += weight(i) / whole * y[i];
  }
  for (std::size_t i = 0; i < s.size(); ++i) {
    vx += weight(i) / whole * (x[i] - mx) * (x[i] - mx);
    vy += weight(i) / whole * (y[i] - my) * (y[i] - my);
    xy += weight(i) / whole * (x[i] - mx) * (y[i] - my);
  }
  const double expected = (2 * mx * my + 1e-4) * (2 * xy + 9e-4) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4));
  // Sums of 121 terms below 1 lose 1e-16 each at most, beside variances of 0.1.
  CHECK_THAT(ssim<double>(images{x.data(), s}, images{y.data(), s}).front(), WithinAbs(expected, 1e-12));
  auto scaled_x = x, scaled_y = y;
  for (auto* all : {&scaled_x, &scaled_y})
    for (double& pixel : *all) pixel *= 255.0;
  CHECK_THAT(ssim<double>(images{scaled_x.data(), s}, images{scaled_y.data(), s}, 255.0).front(),
             WithinAbs(expected, 1e-12));
}

TEST_CASE("what cannot be compared is refused in one sentence", "[metric]") {
  const shape s{2, 1, 11, 12}, low{2, 1, 10, 12};
  auto x = pattern(s, 0.0);
  const auto y = pattern(s, 1.0);
  const images a{x.data(), s}, b{y.data(), s};
  CHECK_REFUSED(psnr<double>(a, b.images(0, 1)),
                "the shape of the true images is 1 x 1 x 11 x 12, but it must be that of the images, 2 x 1 x 11 x 12");
  CHECK_REFUSED(ssim<double>(a, b.images(0, 1)), "the shape of the true images is 1 x 1 x 11 x 12");
  CHECK_REFUSED(
      ssim<double>(images{x.data(), low}, images{y.data(), low}),
      "the shape of the images is 2 x 1 x 10 x 12, but it must be at least 11 pixels high and wide, the window "
      "of SSIM");
  CHECK_REFUSED(psnr<double>(a, b, 0.0), "data_range is 0, but it must be positive and finite");
  CHECK_REFUSED(ssim<double>(a, b, std::nan("")), "data_range is nan, but it must be positive and finite");
  x[s.per_image() + 3] = std::nan("");
  CHECK_REFUSED(psnr<double>(a, b), "element 3 of image 1 of the images is nan, but it must be finite");
  CHECK_REFUSED(ssim<double>(b, a), "element 3 of image 1 of the true images is nan");
  x[s.per_image() + 3] = 1e200;
  CHECK_REFUSED(psnr<double>(a, b), "the mean squared error of image 1 is inf");
  CHECK_REFUSED(ssim<double>(a, b), "the similarity of image 1 is");
  CHECK(psnr<double>(a.images(0, 0), b.images(0, 0)).empty());
}
