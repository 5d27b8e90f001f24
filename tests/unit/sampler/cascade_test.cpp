// A cascade of three stages (Ho et al. 2022), compared with its stages drawn one by one.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <softscore/softscore.hpp>

#include "catch.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

const corruption noise{scaling{}, linear_beta{}};

// A network without training: its numbers depend on the labels, the image beside x and the feature.
auto stage_network(std::uint64_t seed, bool beside, bool feature, bool labels) {
  unet_config c;
  c.in_channels = beside ? 2 : 1;
  c.out_channels = 1;
  c.beside_channels = beside ? 1 : 0;
  c.block_out_channels = {4, 4};
  c.down_blocks = c.up_blocks = {unet_block::plain, unet_block::plain};
  c.layers_per_block = 1;
  c.add_attention = false;
  c.norm_num_groups = 2;
  c.augment_features = feature ? 1 : 0;
  if (labels) {
    c.class_embedding = unet_class::table;
    c.num_class_embeds = 3;
  }
  epsilon_denoiser denoiser{unet<step_index>{c}, noise};
  denoiser.network().initialize(seed);
  return denoiser;
}

const auto base = stage_network(1, false, false, true);
const auto second = stage_network(2, true, true, false);
const auto third = stage_network(3, true, false, true);
const cascade_options five{.images = 5, .seed = 7, .batch_size = 2, .labels = {0, 1, 2, 1, 0}};
constexpr std::uint64_t far = std::uint64_t{1} << 40;  // between the seeds of two stages
constexpr shape small{1, 1, 4, 6}, middle{1, 1, 8, 12}, large{1, 1, 16, 14};

template <class Observer = no_observer>
bool draw(cascade_state& state, const cascade_options& options = five, Observer observer = {}, shape last = large,
          std::optional<double> deviation = 0.25) {
  serial_backend be;
  return sample_cascade(be, options, state, observer, cascade_stage{ddim{}, noise, base, trailing_grid(1000, 3), small},
                        cascade_stage{ddpm{}, noise, second, trailing_grid(1000, 4), middle, deviation, false},
                        cascade_stage{ddim{}, noise, third, trailing_grid(1000, 2), last});
}

bool same(const image_batch& a, const image_batch& b) {
  return extent_of(a) == extent_of(b) && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace

TEST_CASE("A cascade draws what its stages draw one by one, each beside the enlarged images before it", "[sampler]") {
  cascade_state state;
  REQUIRE(draw(state));
  REQUIRE(state.images.size() == 3);
  CHECK(state.nfe == std::vector<std::size_t>{3, 4, 2});

  serial_backend be;
  const auto first = sample(be, ddim{}, noise, base, trailing_grid(1000, 3),
                            {.images = 5, .seed = 7, .image = small, .labels = five.labels});
  CHECK(same(state.images[0], first.images));

  image_batch beside = bicubic_resize(first.images, 8, 12);
  for (std::size_t i = 0; i < 5; ++i)
    add_noise({7 + far, noise_stream::beside, 0, 0}, i, 0.25f, {beside.data() + i * 96, 96});
  const std::vector<float> deviations(5, 0.25f);
  sample_options options{.images = 5, .seed = 7 + far, .image = middle};
  options.given.image = as_view(beside);
  options.given.features = view<const float, host_space>{deviations.data(), {5, 1, 1, 1}};
  const auto next = sample(be, ddpm{}, noise, second, trailing_grid(1000, 4), options);
  CHECK(same(state.images[1], next.images));

  const image_batch enlarged = bicubic_resize(next.images, 16, 14);
  options = {.images = 5, .seed = 7 + 2 * far, .image = large, .labels = five.labels};
  options.given.image = as_view(enlarged);
  CHECK(same(state.images[2], sample(be, ddim{}, noise, third, trailing_grid(1000, 2), options).images));
}

TEST_CASE("A cascade that was stopped continues from the stages that are done", "[sampler]") {
  cascade_state whole;
  draw(whole);
  for (const std::size_t stop : {0u, 9u, 10u, 14u, 21u, 22u}) {  // 3 batches of 3, 4 and 2 steps
    std::size_t steps = 0;
    cascade_state state;
    CHECK_FALSE(draw(state, five, [&](const auto&) { return steps++ < stop; }));
    CHECK(state.images.size() == (stop < 9 ? 0u : stop < 21 ? 1u : 2u));
    steps = 0;
    CHECK(draw(state, five, [&](const auto&) { ++steps; }));
    CHECK(steps == (stop < 9 ? 27u : stop < 21 ? 18u : 6u));
    for (std::size_t k = 0; k < 3; ++k) CHECK(same(state.images[k], whole.images[k]));
  }
  // All stages done: nothing is drawn.
  CHECK(draw(whole, five, [](const auto&) { FAIL("a step"); }));
}

TEST_CASE("A stage, or a state, that does not fit is refused before any work, by its number", "[sampler]") {
  const auto unseen = [](const auto&) { FAIL("a step"); };
  cascade_state none;
  CHECK_REFUSED(draw(none, {.images = 0}, unseen), "images is 0, but it must be at least 1");
  CHECK_REFUSED(draw(none, five, unseen, {1, 1, 0, 4}),
                "stage 2: image is 1 x 1 x 0 x 4, but it must be of at least one element");
  CHECK_REFUSED(draw(none, five, unseen, large, -0.5),
                "stage 1: beside_noise is -0.5, but it must be between 0 and 1e6");
  cascade_state other;
  other.images.push_back(make_tensor<float>({4, 1, 4, 6}));
  CHECK_REFUSED(draw(other, five, unseen),
                "stage 0: shape of the images so far is 4 x 1 x 4 x 6, but it must be that of all images of the stage");
  other.images.assign(4, make_tensor<float>({5, 1, 4, 6}));
  CHECK_REFUSED(draw(other, five, unseen),
                "number of stages that are done is 4, but it must be at most that of all, 3");
  // What a network does not accept is refused before the first stage is drawn.
  auto bad = five;
  bad.labels[3] = 3;
  CHECK_THAT(refusal([&] { draw(none, bad, unseen); }), Catch::Matchers::StartsWith("for the cascade's stage 0, "));
  serial_backend be;
  CHECK_THAT(refusal([&] {
               sample_cascade(be, five, none, unseen, cascade_stage{ddim{}, noise, base, trailing_grid(1000, 3), small},
                              cascade_stage{ddim{}, noise, second, trailing_grid(1000, 3), middle, 0.25});
             }),
             Catch::Matchers::StartsWith("for the cascade's stage 1, "));
  CHECK_THAT(refusal([&] {
               sample_cascade(be, five, none, unseen, cascade_stage{ddim{}, noise, base, trailing_grid(1000, 3), small},
                              cascade_stage{ddim{}, noise, base, trailing_grid(1000, 3), middle});
             }),
             Catch::Matchers::StartsWith("for the cascade's stage 1, "));
  CHECK(none.images.empty());
  CHECK_REFUSED(
      sample_cascade(be, five, none, unseen, cascade_stage{ddim{}, noise, base, trailing_grid(1000, 3), small, 0.1}),
      "stage 0: beside_noise is 0.1, but it must be missing, because no stage precedes it");
}
