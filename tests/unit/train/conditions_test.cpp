// Training with an image beside x and with features: what the network and the objective see of them.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/softscore.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"
#include "worse.hpp"

using namespace softscore;

namespace {

const corruption much{identity{}, variance_exploding{.sigma_min = 2.0, .sigma_max = 3.0}};

unet_config tiny() {
  unet_config c;
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {4, 8};
  c.down_blocks = c.up_blocks = {unet_block::plain, unet_block::plain};
  c.layers_per_block = 1;
  c.add_attention = false;
  c.norm_num_groups = 2;
  c.dropout = 0.1;
  return c;
}
auto plain() { return clean_denoiser{unet<step_index>{tiny()}}; }
auto with_image(const std::vector<std::size_t>& channels = {4, 8}, std::size_t groups = 2) {
  auto c = tiny();
  c.block_out_channels = channels;
  c.norm_num_groups = groups;
  c.in_channels = 2;
  c.beside_channels = 1;
  return clean_denoiser{unet<step_index>{c}};
}
auto with_features() {
  auto c = tiny();
  c.class_embedding = unet_class::identity;
  return clean_denoiser{unet<step_index>{c}};
}

// The middle of digits, beside each of them its upper half, and for each 16 numbers that say which digit it is.
const labeled_images& known_digits() {
  static const labeled_images all = [] {
    const labeled_images whole = stroke_digits(32, 1, 12);
    labeled_images digits{make_tensor({32, 1, 8, 8}), whole.labels, {}, {}};
    for (std::size_t i = 0; i < 32; ++i)
      for (std::size_t y = 0; y < 8; ++y)
        std::copy_n(whole.pixels.data() + i * 144 + (y + 2) * 12 + 2, 8, digits.pixels.data() + i * 64 + y * 8);
    digits.beside = digits.pixels;
    digits.features = make_tensor({32, 16, 1, 1});
    std::fill_n(digits.features.data(), digits.features.size(), 0.0f);
    for (std::size_t i = 0; i < 32; ++i) {
      std::fill_n(digits.beside.data() + i * 64 + 32, 32, 0.0f);
      digits.features.data()[i * 16 + static_cast<std::size_t>(digits.labels[i])] = 1.0f;
    }
    return digits;
  }();
  return all;
}
// The same with an image beside x alone, and with features alone.
labeled_images only_beside() {
  auto digits = known_digits();
  digits.features = {};
  return digits;
}
labeled_images only_features() {
  auto digits = known_digits();
  digits.beside = {};
  return digits;
}
labeled_images only_pixels() { return {known_digits().pixels, known_digits().labels, {}, {}}; }

training_options options() {
  return {.epochs = 2, .batch_size = 16, .seed = 5, .learning_rate = 1e-3, .random_flip = true};
}

template <class D>
auto trainer_of(tbb_backend& be, D& denoiser, const labeled_images& data, const training_options& with) {
  return trainer<tbb_backend, std::remove_const_t<decltype(much)>, D, naive_loss>{
      be, much, denoiser, naive_loss{}, as_view(data.pixels), with, data.given()};
}

// The largest difference within any named array, as a share of the array's largest number; arrays without gradient
// are left out.
double array_error(const parameter_layout& layout, const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0.0, largest = 0.0;
  for (const float number : a) largest = std::max(largest, std::abs(static_cast<double>(number)));
  for (const parameter& p : layout) {
    double most = 0.0, apart = 0.0;
    for (std::size_t i = p.offset; i < p.offset + p.size(); ++i) {
      most = std::max(most, std::abs(static_cast<double>(a[i])));
      apart = worse(apart, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    if (most > 1e-6 * largest) worst = worse(worst, apart / most);
  }
  return worst;
}

template <class D>
void check_splits(const D& denoiser, const labeled_images& data) {
  tbb_backend be{1};
  auto with = options();
  auto whole = denoiser;
  auto of_whole = trainer_of(be, whole, data, with);
  of_whole.step();
  const auto expected = of_whole.state();
  const double tested = of_whole.test(as_view(data.pixels), data.given());
  for (const std::size_t parts : {2u, 16u}) {
    with.accumulate = parts;
    auto split = denoiser;
    auto of_split = trainer_of(be, split, data, with);
    of_split.step();
    const auto found = of_split.state();
    // Losses are summed image by image in double, and each image's has the same bits for any split. The first moment
    // after one step is a tenth of the gradient. A part rounds its own by 2^-24, and sixteen parts that cancel to a
    // quarter of one of them add up to 2^-24 sqrt(16) 4 = 9.5e-7.
    CHECK(found.losses == expected.losses);
    CHECK(array_error(whole.network().layout(), expected.first_moment, found.first_moment) < 1e-6);
    of_split.restore(expected);
    // Images of other parts are added in another order, in double.
    CHECK(of_split.test(as_view(data.pixels), data.given()) == Approx(tested).epsilon(1e-12));
  }
}

// The mean loss of the second half of a run.
template <class D>
double late_loss(D denoiser, const labeled_images& data) {
  tbb_backend be{1};
  auto with = options();
  with.epochs = 40;
  with.learning_rate = 5e-3;
  const auto losses = train(be, denoiser, much, naive_loss{}, {data, {}}, with).losses;
  double sum = 0.0;
  for (std::size_t i = losses.size() / 2; i < losses.size(); ++i) sum += static_cast<double>(losses[i]);
  return sum / static_cast<double>(losses.size() / 2);
}

}  // namespace

TEST_CASE("A U-Net learns from an image beside x and from features, for any split of the batch", "[train]") {
  check_splits(with_image(), only_beside());
  check_splits(with_image({32, 64}, 8), only_beside());  // by the methods of wide layers
  check_splits(with_features(), only_features());
}

TEST_CASE("What is known of an image lowers the loss", "[train]") {
  const double without = late_loss(plain(), only_pixels());
  // Under noise of deviation 2 to 3 the pixels tell almost nothing. The image beside x tells half of them, and these
  // have half of the loss; a network that has not converged need not remove all of it.
  CHECK(late_loss(with_image(), only_beside()) < 0.85 * without);
  CHECK(late_loss(with_features(), only_features()) < without);
}

TEST_CASE("A run with an image beside x continues from its checkpoint to the same bits", "[train]") {
  tbb_backend be{1};
  const temporary_folder folder;
  const auto data = only_beside();
  auto again = with_image();
  auto rest = trainer_of(be, again, data, options());
  auto first = with_image();
  auto begun = trainer_of(be, first, data, options());
  begun.step();
  const auto file = folder / "c.safetensors";
  write_checkpoint(file, first.network().layout(), begun.state(), settings_of(options()));
  rest.restore(read_checkpoint(safetensors_file{file}, again.network().layout()));
  while (rest.done() < rest.steps()) rest.step();
  while (begun.done() < begun.steps()) begun.step();
  CHECK((rest.state().parameters == begun.state().parameters));
  CHECK(rest.state().losses == begun.state().losses);
}

namespace {

// The naive loss, which notes what the objective sees of the images.
struct watching : naive_loss {
  std::vector<float>* seen;

  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& c, const D& d, DM& dm, const corrupted_batch<Be, T>& batch, in_of<Be, T> phi,
                out_of<Be, T> gradient, double* losses, M& memory) const {
    for (std::size_t i = 0; i < batch.given.image.size(); ++i) {
      const bool upper = i % 64 < 32;
      seen->push_back(batch.given.image[i] - (upper ? batch.clean[i] : 0.0f));
    }
    naive_loss::evaluate<Be, C, D, DM, T, M>(be, c, d, dm, batch, phi, gradient, losses, memory);
  }
};

}  // namespace

TEST_CASE("An objective sees the image beside x, flipped as x is", "[train]") {
  tbb_backend be{1};
  auto denoiser = with_image();
  std::vector<float> apart;
  auto with = options();
  with.accumulate = 2;
  train(be, denoiser, much, watching{{}, &apart}, {only_beside(), {}}, with);
  REQUIRE(apart.size() == 2 * 32 * 64);
  CHECK(std::count(apart.begin(), apart.end(), 0.0f) == 2 * 32 * 64);
}

TEST_CASE("Conditions that do not fit the images or the network are refused before any work", "[train]") {
  tbb_backend be{1};
  bool worked = false;
  const auto look = [&](const training_progress&) { worked = true; };
  const auto run = [&](auto denoiser, data_set data) {
    train(be, denoiser, much, naive_loss{}, data, options(), look);
  };
  const auto changed = [](labeled_images data, auto change) {
    change(data);
    return data;
  };
  const auto few = changed(only_beside(), [](auto& d) { d.beside = make_tensor({31, 1, 8, 8}); });
  const auto low = changed(only_beside(), [](auto& d) { d.beside = make_tensor({32, 1, 4, 8}); });
  const auto thick = changed(only_beside(), [](auto& d) { d.beside = make_tensor({32, 2, 8, 8}); });
  const auto short_rows = changed(only_features(), [](auto& d) { d.features = make_tensor({32, 15, 1, 1}); });
  const auto few_rows = changed(only_features(), [](auto& d) { d.features = make_tensor({30, 16, 1, 1}); });

  CHECK_REFUSED(
      run(with_image(), {few, {}}),
      "for the training images, number of images given beside x is 31, but it must be that of the images, 32");
  CHECK_REFUSED(run(with_image(), {low, {}}), "for the training images, height of the images given beside x is 4");
  CHECK_REFUSED(run(with_image(), {thick, {}}),
                "for the training images, the extent of the images given to a network beside x is 32 x 2 x 8 x 8");
  CHECK_REFUSED(run(with_image(), {only_pixels(), {}}),
                "for the training images, the number of images given to a network beside x is 0");
  CHECK_REFUSED(run(with_image(), {only_beside(), only_pixels()}), "for the test images, the number of images given");
  CHECK_REFUSED(run(with_features(), {few_rows, {}}), "for the training images, number of rows of features is 30");
  CHECK_REFUSED(run(with_features(), {short_rows, {}}),
                "for the training images, the extent of the features given to a network is 32 x 15 x 1 x 1");
  CHECK_REFUSED(run(plain(), {only_beside(), {}}), "for the training images, an image given to a network beside x is");
  CHECK_REFUSED(run(plain(), {only_features(), {}}), "for the training images, features given to a network is");
  const auto cnn = [] { return clean_denoiser{plain_cnn{{2}, {1, 1, 8, 8}}}; };
  CHECK_REFUSED(run(cnn(), {only_beside(), {}}), "for the training images, an image given to a network beside x is");
  CHECK_REFUSED(run(cnn(), {only_features(), {}}), "for the training images, features given to a network is");
  CHECK_FALSE(worked);
}

TEST_CASE("Times that a table of learned times lacks are refused before any work", "[train]") {
  tbb_backend be{1};
  auto c = tiny();
  c.time_embedding = unet_time::learned;
  c.num_train_timesteps = 10;
  const clean_denoiser denoiser{unet<step_index>{c}};
  bool worked = false;
  const auto look = [&](const auto&) { worked = true; };
  const auto train_with = [&](std::size_t indices) {
    auto with = options();
    with.times.indices = indices;
    auto copy = denoiser;
    train(be, copy, much, naive_loss{}, {only_pixels(), {}}, with, look);
  };
  const auto sample_with = [&](std::size_t steps) {
    sample(be, momentum{}, much, denoiser, uniform_grid(steps), {.images = 1}, look);
  };
  const auto rule = "a time of a network with a table of steps is ";
  // Index t 10 - 1 of any t; of the times k / 20, from -1/2 on; of k / 7, from 3/7 on; of 1, 6/7, ..., not whole.
  for (const std::size_t indices : {0u, 20u, 7u})
    CHECK_REFUSED(train_with(indices), std::string{"for the times that training draws, "} + rule);
  for (const std::size_t steps : {20u, 7u}) CHECK_REFUSED(sample_with(steps), rule);
  CHECK_FALSE(worked);
  for (const std::size_t steps : {10u, 5u}) {
    worked = false;
    train_with(steps);
    CHECK(std::exchange(worked, false));
    sample_with(steps);
    CHECK(worked);
  }
}
