// Images at another size by the cubic kernel (Keys 1981), against Pillow 13's Image.resize(..., BICUBIC) in mode F, and
// against the operator that shows a small image at the old size.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/operator/bicubic_downsampling.hpp>
#include <softscore/operator/bicubic_resize.hpp>
#include <softscore/operator/cubic_window.hpp>

#include "refusal.hpp"

using namespace softscore;

namespace {

// Three images, the first of which is ((3 i^2 + 5 j^2 + i j) mod 17) / 16 at row i and column j.
image_batch known(std::size_t height, std::size_t width) {
  image_batch x = make_tensor<float>({3, 1, height, width});
  for (std::size_t n = 0; n < 3; ++n)
    for (std::size_t i = 0; i < height; ++i)
      for (std::size_t j = 0; j < width; ++j)
        x(n, 0, i, j) = static_cast<float>((3 * i * i + 5 * j * j + i * j + n) % 17) / 16.0f;
  return x;
}

// Both round each of at most 7 x 7 products and sums of numbers up to 1 to float32.
void check_close(const image_batch& found, const std::vector<float>& expected) {
  REQUIRE(found.size() >= expected.size());
  for (std::size_t k = 0; k < expected.size(); ++k) CHECK(std::abs(found.data()[k] - expected[k]) < 5e-7f);
}

}  // namespace

TEST_CASE("The cubic window has the kernel's values, reaches two pixels to each side, and ends at the edges",
          "[operator]") {
  // (a + 2)|x|^3 - (a + 3)|x|^2 + 1 and a (|x|^3 - 5 |x|^2 + 8 |x| - 4) with a = -1/2: 0.5625 and -0.0625 at 1/2 and
  // 3/2.
  const detail::cubic_window between{4.5, 1.0, 20};
  CHECK(between.first == 3);
  CHECK(between.end == 7);
  CHECK(between.weight(4) == 0.5625);
  CHECK(between.weight(5) == 0.5625);
  CHECK(between.weight(3) == -0.0625);
  CHECK(between.weight(6) == -0.0625);
  CHECK(between.sum() == 1.0);
  const detail::cubic_window pixel{4.0, 1.0, 20};
  CHECK(pixel.weight(4) == 1.0);
  CHECK(pixel.weight(3) == 0.0);
  CHECK(pixel.weight(2) == 0.0);
  // Twice as wide, and cut at the first pixel.
  const detail::cubic_window edge{0.5, 2.0, 20};
  CHECK(edge.first == 0);
  CHECK(edge.end == 5);
  CHECK(edge.weight(1) == detail::cubic_window(0.0, 1.0, 20).weight(0) * (1.5 / 64 - 2.5 / 16 + 1.0));
  CHECK(detail::cubic_window{18.5, 1.0, 20}.end == 20);
}

TEST_CASE("Images shrink and grow as Pillow's bicubic ones do", "[operator]") {
  check_close(bicubic_resize(known(5, 7), 3, 4),
              {0.22845416f, 0.36632231f, 0.48260391f, 0.49480677f, 0.40772948f, 0.29400858f, 0.64077353f, 0.38057289f,
               0.52928323f, 0.33384979f, 0.39532143f, 0.59889323f});
  const image_batch larger = bicubic_resize(known(5, 7), 8, 9);
  CHECK(extent_of(larger) == shape{3, 1, 8, 9});
  check_close(larger,
              {-0.028071709f, 0.20475999f,   0.22847509f,   0.25483686f,   0.73696953f, 0.82649851f,   0.51651281f,
               0.40994003f,   0.67621839f,   0.027358713f,  0.31605577f,   0.41257194f, 0.32964551f,   0.37831801f,
               0.44060826f,   0.5451265f,    0.54281998f,   0.42689344f,   0.19753319f, 0.44833645f,   0.57808852f,
               0.40362197f,   0.0086517334f, 0.057500202f,  0.62224287f,   0.68527955f, 0.069501713f,  0.62922281f,
               0.37270191f,   0.20892642f,   0.28040487f,   0.5181427f,    0.72858864f, 0.81589001f,   0.50110328f,
               -0.036378037f, 0.78149831f,   0.28362739f,   -0.014938898f, 0.22046147f, 0.84338379f,   0.75954789f,
               0.77639633f,   0.51644921f,   0.0045335772f, 0.65067589f,   0.23391914f, 0.0024596786f, 0.25795144f,
               0.82873535f,   0.11878026f,   0.51230174f,   0.73131752f,   0.19223654f, 0.79469573f,   0.40872324f,
               0.25259021f,   0.37728697f,   0.43739298f,   0.26680589f,   0.4271999f,  0.62411952f,   0.6436339f,
               0.91644466f,   0.54750514f,   0.44037399f,   0.46115512f,   0.14252767f, 0.47328964f,   0.40559909f,
               0.51168787f,   0.94747293f});
}

TEST_CASE("A resized image resized back is what the operator shows", "[operator]") {
  serial_backend be;
  const image_batch x = known(12, 8);
  const image_batch back = bicubic_resize(bicubic_resize(x, 3, 2), 12, 8);
  auto in = be.make<float>(extent_of(x)), out = be.make<float>(extent_of(x));
  be.upload(x.data(), in.view());
  bicubic_downsampling{}.apply<serial_backend, float>(be, bicubic_downsampling::at_factor(4),
                                                      view<const float, host_space>(in.view()), out.view());
  std::vector<float> shown(x.size());
  be.download(view<const float, host_space>(out.view()), shown.data());
  check_close(back, shown);
}

TEST_CASE("The same size returns the same bits, constants stay, and sides of 0 are refused", "[operator]") {
  const image_batch x = known(5, 7);
  const image_batch same = bicubic_resize(x, 5, 7);
  CHECK(std::equal(same.begin(), same.end(), x.begin()));
  image_batch ones = make_tensor<float>({1, 2, 3, 3});
  ones.fill(1.0f);
  for (const float value : bicubic_resize(ones, 7, 4)) CHECK(std::abs(value - 1.0f) < 1e-7f);
  CHECK_REFUSED(bicubic_resize(x, 0, 7), "height is 0, but it must be at least 1");
  CHECK_REFUSED(bicubic_resize(x, 5, 0), "width is 0, but it must be at least 1");
}
