// A U-Net with classes under guidance: the same bits in any batches, on any number of threads, by one network and by
// two, at any size that its levels divide.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/unet.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/sample_into.hpp>

#include "device_under_test.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

const corruption<scaling, linear_beta> noise{scaling{}, linear_beta{}};
const std::vector<class_label> labels{2, 0, no_class, 1, 2};

epsilon_denoiser<unet<step_index>, corruption<scaling, linear_beta>> denoiser() {
  unet_config c;
  c.in_channels = c.out_channels = 1;
  c.height = c.width = 8;
  c.block_out_channels = {8, 16};
  c.down_blocks = {unet_block::plain, unet_block::attention};
  c.up_blocks = {unet_block::attention, unet_block::plain};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.class_embedding = unet_class::table;
  c.num_class_embeds = 3;
  unet<step_index> network{c};
  network.initialize(1);
  return epsilon_denoiser{std::move(network), noise};
}

template <class Be, class D>
std::vector<float> drawn(Be be, const D& of, std::size_t batch, const shape& image,
                         const std::vector<class_label>& known = labels) {
  std::vector<float> pixels(labels.size() * image.per_image());
  sample(be, ddim{}, noise, of, uniform_grid(4), std::span{pixels},
         {.images = labels.size(), .seed = 2, .batch_size = batch, .image = image, .labels = known});
  return pixels;
}

template <class Make, class Other>
void check(const Make& make, const Other& other) {
  const auto one = denoiser();
  for (const shape& image : {shape{1, 1, 8, 8}, shape{1, 1, 6, 10}}) {
    const auto all = drawn(make(), one, 5, image);
    CHECK(std::all_of(all.begin(), all.end(), [](float pixel) { return std::isfinite(pixel); }));
    CHECK(drawn(other(), one, 2, image) == all);
    CHECK(drawn(make(), one, 5, image, {1}) != all);
    const auto guided = drawn(make(), classifier_free{one, 2.0}, 5, image);
    CHECK(guided != all);
    CHECK(drawn(make(), classifier_free{one, one, 2.0}, 3, image) == guided);
    CHECK(drawn(other(), classifier_free{one, 2.0}, 2, image) == guided);
    CHECK(drawn(make(), classifier_free{one, 1.0}, 5, image) == all);
  }
}

}  // namespace

TEST_CASE("a guided U-Net draws the same bits in any batches and at any size", "[conditions]") {
  check([] { return serial_backend{}; }, [] { return serial_backend{}; });
  check([] { return device_under_test{}; }, [] { return device_under_test{}; });
#if !defined(__CUDACC__)
  check([] { return tbb_backend{2}; }, [] { return tbb_backend{1}; });
  check([] { return tbb_backend{3}; }, [] { return tbb_backend{2}; });
#endif
}

TEST_CASE("a U-Net refuses sizes and labels that it does not take before the first step", "[conditions]") {
  CHECK_REFUSED(drawn(serial_backend{}, denoiser(), 5, {1, 1, 7, 8}), "must be a multiple of 2 pixels high and wide");
  CHECK_REFUSED(drawn(serial_backend{}, denoiser(), 1, {1, 1, 8, 8}, {0, 1, 2, 0, 3}),
                "the label of image 4 is 3, but it must be between 0 and 2, or -1 for none");
}
