// Noise on the images beside x in training: its numbers, what the network and the objective see of it, and refusals (Ho
// et al. 2022).
#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/softscore.hpp>

#include "catch.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

const corruption noisy{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 1.0}};

unet_config tiny(std::size_t numbers) {
  unet_config c;
  c.in_channels = 2;
  c.out_channels = c.beside_channels = 1;
  c.block_out_channels = {4, 8};
  c.down_blocks = c.up_blocks = {unet_block::plain, unet_block::plain};
  c.layers_per_block = 1;
  c.add_attention = false;
  c.norm_num_groups = 2;
  c.augment_features = numbers;
  return c;
}
auto small(std::size_t numbers = 1) { return clean_denoiser{unet<step_index>{tiny(numbers)}}; }

// Images whose element is number / 32 + 1 / 256, beside each itself, so that noise is what differs between them.
const labeled_images& known() {
  static const labeled_images all = [] {
    labeled_images d{make_tensor({32, 1, 8, 8})};
    for (std::size_t i = 0; i < d.pixels.size(); ++i) d.pixels.data()[i] = static_cast<float>(i / 64) / 32 + 1.0f / 256;
    d.beside = d.pixels;
    return d;
  }();
  return all;
}

// The naive loss, which notes the noise beside x and its deviation.
struct watching : naive_loss {
  std::vector<float>*noise, *deviations;

  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& c, const D& d, DM& dm, const corrupted_batch<Be, T>& batch, in_of<Be, T> phi,
                out_of<Be, T> gradient, double* losses, M& memory) const {
    for (std::size_t i = 0; i < batch.given.image.size(); ++i) noise->push_back(batch.given.image[i] - batch.clean[i]);
    for (std::size_t i = 0; i < batch.given.features.size(); ++i) deviations->push_back(batch.given.features[i]);
    naive_loss::evaluate<Be, C, D, DM, T, M>(be, c, d, dm, batch, phi, gradient, losses, memory);
  }
};

struct seen {
  std::vector<float> noise, deviations, losses;
};
seen run(training_options with) {
  tbb_backend be{1};
  auto denoiser = small();
  seen all;
  with.batch_size = 16;
  with.learning_rate = 1e-3;
  all.losses = train(be, denoiser, noisy, watching{{}, &all.noise, &all.deviations}, {known(), {}}, with).losses;
  return all;
}

}  // namespace

TEST_CASE("Images beside x have normal noise of a uniform deviation, which is their feature", "[train]") {
  const auto all = run({.epochs = 8, .beside_noise = 0.5});
  REQUIRE(all.deviations.size() == 256);
  double sum = 0.0, count = 0.0, moments[2] = {0.0, 0.0};
  for (std::size_t i = 0; i < 256; ++i) {
    CHECK(all.deviations[i] >= 0.0f);
    CHECK(all.deviations[i] < 0.5f);
    sum += static_cast<double>(all.deviations[i]);
    if (all.deviations[i] < 0.01f) continue;  // a sum of 1/32 and noise is rounded to 2^-24, of which this is 2e5
    count += 64.0;
    for (std::size_t k = 0; k < 64; ++k) {
      const double z = static_cast<double>(all.noise[i * 64 + k]) / static_cast<double>(all.deviations[i]);
      moments[0] += z;
      moments[1] += z * z;
    }
  }
  // Five standard deviations: of 256 uniform numbers' mean, 0.5 / sqrt(12 x 256); of normal numbers' moments.
  CHECK(std::abs(sum / 256 - 0.25) < 5 * 0.5 / std::sqrt(12.0 * 256));
  CHECK(count > 15000.0);
  CHECK(std::abs(moments[0] / count) < 5 / std::sqrt(count));
  CHECK(std::abs(moments[1] / count - 1.0) < 5 * std::sqrt(2 / count));
}

TEST_CASE("The noise beside x is that of seed, step and image: the same for any split", "[train]") {
  const auto whole = run({.epochs = 2, .beside_noise = 0.5}), again = run({.epochs = 2, .beside_noise = 0.5}),
             split = run({.epochs = 2, .beside_noise = 0.5, .accumulate = 4}),
             other = run({.epochs = 2, .seed = 1, .beside_noise = 0.5});
  CHECK(whole.noise == again.noise);
  CHECK(whole.losses == again.losses);
  CHECK(whole.noise == split.noise);
  CHECK(whole.deviations == split.deviations);
  CHECK(whole.losses.front() == split.losses.front());
  CHECK(whole.noise != other.noise);
}

TEST_CASE("A test loss has one fixed noise beside x", "[train]") {
  tbb_backend be{1};
  auto denoiser = small();
  const auto& data = known();
  trainer work{
      be, noisy, denoiser, naive_loss{}, as_view(data.pixels), {.batch_size = 16, .beside_noise = 0.5}, data.given()};
  const double first = work.test(as_view(data.pixels), data.given());
  CHECK(work.test(as_view(data.pixels), data.given()) == first);
}

TEST_CASE("Noise beside x needs images there and one feature of the network's", "[train]") {
  tbb_backend be{1};
  const auto trains = [&](auto denoiser, labeled_images data, double most) {
    train(be, denoiser, noisy, naive_loss{}, {data, {}}, {.epochs = 1, .batch_size = 16, .beside_noise = most});
  };
  auto with_features = known(), alone = known();
  with_features.features = make_tensor({32, 1, 1, 1});
  alone.beside = {};
  CHECK_REFUSED(trains(small(), known(), -1.0), "beside_noise is -1, but it must be between 0 and 1e6");
  CHECK_REFUSED(trains(small(), known(), 1e300), "beside_noise is 1e+300, but it must be between 0 and 1e6");
  auto labeled = known();
  labeled.labels.assign(32, 1);
  labeled.labels[7] = 5000000;
  auto with_labels = tiny(1);
  with_labels.class_embedding = unet_class::table;
  with_labels.num_class_embeds = 3;
  CHECK_REFUSED(trains(clean_denoiser{unet<step_index>{with_labels}}, labeled, 0.5),
                "for the training images, the label of image 7 is 5000000, but it must be between 0 and 2, or -1 for "
                "none");
  CHECK_REFUSED(trains(small(), alone, 0.5),
                "for the training images, beside_noise is 0.5, but it must be 0 without images beside x");
  CHECK_REFUSED(trains(small(), with_features, 0.5),
                "for the training images, number of rows of features is 32, but it must be 0 with beside_noise, whose "
                "deviation is the feature of an image");
  CHECK_REFUSED(trains(small(2), known(), 0.5), "for the training images, ");
  CHECK_REFUSED(trains(small(0), known(), 0.5), "for the training images, ");
}
