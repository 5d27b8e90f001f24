// `sample`: the shape of the images, and images drawn into memory of the caller.
#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/sample.hpp>

#include "refusal.hpp"
#include "steady_denoiser.hpp"

using namespace softscore;

namespace {

const corruption blurring{gaussian_blur{2}, two_stage{.level_max = 2.0}};
const shape image{1, 2, 3, 4};

}  // namespace

TEST_CASE("images drawn into memory of the caller are those of a tensor, in any batches", "[sampler]") {
  serial_backend be;
  const auto grid = uniform_grid(4);
  const auto drawn = sample(be, ddim{}, blurring, steady_denoiser{}, grid, {.images = 5, .seed = 3, .image = image});
  REQUIRE(extent_of(drawn.images) == image.with_images(5));
  for (const std::size_t batch : {1u, 2u, 5u, 64u}) {
    std::vector<float> pixels(5 * image.per_image(), -7.0f);
    const auto summary = sample(be, ddim{}, blurring, steady_denoiser{}, grid, std::span{pixels},
                                {.images = 5, .seed = 3, .batch_size = batch, .image = image});
    CHECK(std::equal(pixels.begin(), pixels.end(), drawn.images.begin(), drawn.images.end()));
    CHECK(summary.nfe == drawn.nfe);
    CHECK_FALSE(summary.stopped);
  }
  // The memory's type is the precision of the state; its size may be fixed.
  std::array<double, 2 * 24> exact{};
  sample(be, ddim{}, blurring, steady_denoiser{}, grid, std::span{exact}, {.images = 2, .seed = 3, .image = image});
  const auto in_double =
      sample<double>(be, ddim{}, blurring, steady_denoiser{}, grid, {.images = 2, .seed = 3, .image = image});
  CHECK(std::equal(exact.begin(), exact.end(), in_double.images.begin(), in_double.images.end()));
}

TEST_CASE("after a stop the images that were not begun are 0 in the caller's memory", "[sampler]") {
  serial_backend be;
  std::vector<float> pixels(5 * image.per_image(), -7.0f);
  const auto one_batch = [](const auto& seen) { return seen.done == 0 && seen.at.index < 2; };
  const auto summary = sample(be, ddim{}, blurring, steady_denoiser{}, uniform_grid(4), std::span{pixels},
                              {.images = 5, .batch_size = 2, .image = image}, one_batch);
  CHECK(summary.stopped);
  CHECK(summary.nfe == 3);
  const auto rest = std::span{pixels}.subspan(2 * image.per_image());
  CHECK(std::all_of(rest.begin(), rest.end(), [](float pixel) { return pixel == 0.0f; }));
  CHECK(std::none_of(pixels.begin(), pixels.begin() + 48, [](float pixel) { return pixel == -7.0f; }));
}

TEST_CASE("memory of another size than the images is refused in one sentence", "[sampler]") {
  serial_backend be;
  for (const std::size_t size : {0u, 24u, 119u, 121u, 144u}) {
    std::vector<float> pixels(size);
    CHECK_REFUSED(
        sample(be, ddim{}, blurring, steady_denoiser{}, uniform_grid(2), std::span{pixels},
               {.images = 5, .image = image}),
        "size of the memory for the images is " + std::to_string(size) + ", but it must be 5 images of 24 elements");
  }
}

TEST_CASE("the shape is the denoiser's own, or is given where the denoiser knows none", "[sampler]") {
  serial_backend be;
  const residual_denoiser network{plain_cnn{{2, 2}, {1, 1, 4, 4}}};
  const auto grid = uniform_grid(2);
  CHECK(extent_of(sample(be, ddim{}, blurring, network, grid, {.images = 2}).images) == shape{2, 1, 4, 4});
  CHECK(extent_of(sample(be, ddim{}, blurring, network, grid, {.images = 2, .image = shape{1, 1, 4, 4}}).images) ==
        shape{2, 1, 4, 4});
  // The count of images in the shape is nobody's concern.
  CHECK(extent_of(sample(be, ddim{}, blurring, network, grid, {.images = 2, .image = shape{9, 1, 4, 4}}).images) ==
        shape{2, 1, 4, 4});
  CHECK_REFUSED(sample(be, ddim{}, blurring, network, grid, {.images = 2, .image = shape{1, 1, 4, 5}}),
                "image is 1 x 1 x 4 x 5, but it must be that of the denoiser's images, 1 x 1 x 4 x 4");
  CHECK_REFUSED(sample(be, ddim{}, blurring, steady_denoiser{}, grid, {.images = 2}),
                "image is missing, but it must be given, since this denoiser does not know the shape of its images");
  CHECK_REFUSED(sample(be, ddim{}, blurring, steady_denoiser{}, grid, {.image = shape{1, 1, 0, 4}}),
                "image is 1 x 1 x 0 x 4, but it must be of at least one element");
  CHECK_REFUSED(sample(be, ddim{}, blurring, network, grid, {.images = 0}), "images is 0, but it must be at least 1");
  CHECK_REFUSED(sample(be, ddim{}, blurring, network, grid, {.batch_size = 0}),
                "batch_size is 0, but it must be at least 1");
}
