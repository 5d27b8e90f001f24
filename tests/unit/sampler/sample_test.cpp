// `sample`: the shape of the images, and images drawn into memory of the caller.
#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/in_precision.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/sample.hpp>

#include "class_network.hpp"
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

TEST_CASE("images come back in [0, 1] if asked", "[sampler]") {
  serial_backend be;
  const auto grid = uniform_grid(4);
  const auto draw = [&](std::optional<pixel_scale> pixels) {
    return sample(be, ddim{}, blurring, steady_denoiser{}, grid,
                  {.images = 5, .seed = 3, .batch_size = 2, .image = image, .pixels = pixels})
        .images;
  };
  const auto plain = draw({});
  const pixel_scale narrow{0.5f, 0.25f};
  const auto scaled = draw(narrow);
  CHECK(std::any_of(scaled.begin(), scaled.end(), [](float x) { return x == 0.0f || x == 1.0f; }));
  CHECK(std::any_of(scaled.begin(), scaled.end(), [](float x) { return x > 0.0f && x < 1.0f; }));
  for (std::size_t i = 0; i < plain.size(); ++i)
    CHECK(scaled.data()[i] == std::clamp((plain.data()[i] - 0.25f) / 0.5f, 0.0f, 1.0f));
  const auto cut = draw(pixel_scale{});
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(cut.data()[i] == std::clamp(plain.data()[i], 0.0f, 1.0f));
  CHECK_REFUSED(draw(pixel_scale{0.0f, 1.0f}), "gain of the pixels is 0, but it must be finite and not 0");
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

namespace {

const corruption preserving{scaling{}, variance_preserving{}};
const epsilon_denoiser of_classes{class_network{}, preserving};  // means -0.8, 0.1, 0.9

template <class D>
std::vector<float> drawn(const D& denoiser, const sample_options& options) {
  serial_backend be;
  const auto images = sample(be, ddim{}, preserving, denoiser, uniform_grid(20), options).images;
  return {images.begin(), images.end()};
}

}  // namespace

TEST_CASE("labels are given for each image, or one for all, and in any batches", "[sampler]") {
  const std::vector<class_label> labels{2, no_class, 0, 1, 2};
  const auto whole = drawn(of_classes, {.images = 5, .seed = 4, .labels = labels});
  for (const std::size_t batch : {1u, 2u, 3u})
    CHECK(drawn(of_classes, {.images = 5, .seed = 4, .batch_size = batch, .labels = labels}) == whole);
  // The same by way of `given`; and an image of a label is that of a run where all have it.
  CHECK(drawn(of_classes, {.images = 5, .seed = 4, .given = {labels}}) == whole);
  for (std::size_t i = 0; i < 5; ++i) {
    const auto alike = drawn(of_classes, {.images = 5, .seed = 4, .batch_size = 2, .labels = {labels[i]}});
    CHECK(std::equal(alike.begin() + static_cast<std::ptrdiff_t>(16 * i),
                     alike.begin() + static_cast<std::ptrdiff_t>(16 * (i + 1)),
                     whole.begin() + static_cast<std::ptrdiff_t>(16 * i)));
  }
  CHECK(drawn(of_classes, {.images = 5, .seed = 4}) ==
        drawn(of_classes, {.images = 5, .seed = 4, .labels = {no_class}}));
  // Pixels of class k are its mean +- 0.2: five deviations, and what 20 steps leave.
  for (std::size_t i : {0u, 2u, 3u})
    for (std::size_t k = 0; k < 16; ++k)
      CHECK_THAT(whole[16 * i + k],
                 Catch::Matchers::WithinAbs(class_network{}.parameters()[static_cast<std::size_t>(labels[i])], 1.0));
}

TEST_CASE("guidance by one network is sampled as that by two, to the bit", "[sampler]") {
  const sample_options options{.images = 5, .seed = 4, .batch_size = 3, .labels = {2, 0, 1, 1, 0}};
  for (const double scale : {0.0, 1.0, 2.0})
    CHECK(drawn(classifier_free{of_classes, scale}, options) ==
          drawn(classifier_free{of_classes, of_classes, scale}, options));
  CHECK(drawn(classifier_free{of_classes, 1.0}, options) == drawn(of_classes, options));
  serial_backend be;
  CHECK(sample(be, ddim{}, preserving, classifier_free{of_classes, 2.0}, uniform_grid(20), options).nfe == 40);
}

TEST_CASE("labels that cannot be right are refused before the first step", "[sampler]") {
  CHECK_REFUSED(drawn(of_classes, {.images = 5, .labels = {1, 2}}),
                "number of labels is 2, but it must be 0, 1 or that of the images, 5");
  // Of the last batch too.
  CHECK_REFUSED(drawn(of_classes, {.images = 5, .batch_size = 1, .labels = {0, 1, 2, 0, 3}}),
                "the label of image 4 is 3, but it must be between 0 and 2, or -1 for none");
  CHECK_REFUSED(drawn(residual_denoiser{plain_cnn{{2}, {1, 1, 4, 4}}}, {.images = 2, .labels = {1}}),
                "labels given to a network is 2, but it must be none, for this network takes no labels");
  const std::vector<class_label> two{0, 1};
  CHECK_REFUSED(drawn(of_classes, {.images = 2, .labels = two, .given = {two}}),
                "number of labels in `given` is 2, but it must be 0 where `labels` are given");
  CHECK_REFUSED(drawn(of_classes, {.images = 5, .given = {two}}),
                "number of labels is 2, but it must be that of the images, 5");
  serial_backend be;
  const auto grid = uniform_grid(4);
  CHECK_REFUSED(integrate(be, ddim{}, preserving, of_classes, grid,
                          draw_start<float>(be, preserving, grid, {1, 1, 4, 4}, {0, 3}, 1, {two}), 1),
                "number of labels is 2, but it must be that of the images, 3");
}

TEST_CASE("a network of any size draws images of the size that is asked for", "[sampler]") {
  const auto extent_drawn = [](const auto& denoiser, std::optional<shape> asked) {
    serial_backend be;
    return extent_of(sample(be, ddim{}, preserving, denoiser, uniform_grid(3), {.images = 2, .image = asked}).images);
  };
  const auto check = [&](const auto& denoiser) {
    CHECK(extent_drawn(denoiser, {}) == shape{2, 1, 4, 4});
    CHECK(extent_drawn(denoiser, shape{1, 1, 3, 7}) == shape{2, 1, 3, 7});
    CHECK_REFUSED(extent_drawn(denoiser, shape{1, 2, 4, 4}), "the network's input is 2 x 2 x 4 x 4");
    CHECK_REFUSED(extent_drawn(denoiser, shape{1, 1, 0, 4}), "image is 1 x 1 x 0 x 4, but it must be of at least one");
    serial_backend be;
    const auto grid = uniform_grid(3);
    const auto end = integrate(be, ddim{}, preserving, denoiser, grid,
                               draw_start<float>(be, preserving, grid, {1, 1, 2, 9}, {0, 3}, 1), 1);
    CHECK(end.x.extent() == shape{3, 1, 2, 9});
  };
  check(of_classes);
  check(classifier_free{in_precision<double>(of_classes), 2.0});
  check(classifier_free{of_classes, of_classes, 2.0});
}
