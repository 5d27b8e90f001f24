#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <softscore/softscore.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "refused_memory.hpp"
#include "temporary_folder.hpp"

using namespace softscore;

namespace {

const corruption blurring{gaussian_blur{12}, two_stage{.level_max = 6.0}};

const data_set& few_digits() {
  static const data_set digits = stroke_digit_set(64, 16, 1, 12);
  return digits;
}
residual_denoiser<plain_cnn> small() { return residual_denoiser{plain_cnn{{16}, {1, 1, 12, 12}}}; }

training_options options() {
  return {.epochs = 3, .batch_size = 16, .learning_rate = 1e-3, .warmup_steps = 3, .ema_decay = 0.9};
}

}  // namespace

TEST_CASE("A state continues a run to the same bits, whatever step it was taken at") {
  serial_backend be;
  auto whole = small();
  trainer through{be, blurring, whole, soft_score_matching_loss{}, as_view(few_digits().training.pixels), options()};
  REQUIRE(through.steps() == 12);
  std::vector<training_state> states;
  while (through.done() < through.steps()) {
    states.push_back(through.state());
    through.step();
  }
  const auto last = through.state();
  for (const auto& state : states) {
    auto again = small();
    trainer rest{be, blurring, again, soft_score_matching_loss{}, as_view(few_digits().training.pixels), options()};
    rest.restore(state);
    while (rest.done() < rest.steps()) rest.step();
    const auto end = rest.state();
    CHECK(end.parameters == last.parameters);
    CHECK(end.average == last.average);
    CHECK(end.first_moment == last.first_moment);
    CHECK(end.second_moment == last.second_moment);
    CHECK(end.losses == last.losses);
  }
}

TEST_CASE("A test between two steps leaves no trace in training") {
  serial_backend be;
  const auto run = [&](bool tests) {
    auto denoiser = small();
    trainer work{be, blurring, denoiser, soft_score_matching_loss{}, as_view(few_digits().training.pixels), options()};
    while (work.done() < work.steps()) {
      work.step();
      if (tests) work.test(as_view(few_digits().test.pixels));
    }
    return work.state();
  };
  const auto with = run(true), without = run(false);
  CHECK(with.parameters == without.parameters);
  CHECK(with.losses == without.losses);
}

TEST_CASE("Training on the serial and on the tbb backend with any number of threads is one run") {
  // The tbb backend sums in another order than the serial one, but in the same for any number of threads.
  std::vector<std::vector<float>> trained;
  for (const std::size_t threads : {1u, 2u, 3u}) {
    tbb_backend be{threads};
    auto denoiser = small();
    train(be, denoiser, blurring, soft_score_matching_loss{}, few_digits(), options());
    trained.emplace_back(denoiser.network().parameters().begin(), denoiser.network().parameters().end());
  }
  CHECK(trained[1] == trained[0]);
  CHECK(trained[2] == trained[0]);
}

TEST_CASE("Training lowers the loss on images that it never saw") {
  tbb_backend be{2};
  auto denoiser = small();
  auto longer = options();
  longer.epochs = 20;
  const auto result = train(be, denoiser, blurring, soft_score_matching_loss{}, few_digits(), longer);
  REQUIRE(result.test_losses.size() == 20);
  REQUIRE(result.losses.size() == 80);
  // A weighted residual that starts at the size of the data's own variance over sigma^2 must at least halve.
  CHECK(result.test_losses.back() < 0.5 * result.test_losses.front());
}

TEST_CASE("A checkpoint returns every bit, and only to the network that it is of") {
  serial_backend be;
  const temporary_folder folder;
  auto denoiser = small();
  auto saved = options();
  saved.checkpoint = folder / "c.safetensors";
  const auto result = train(be, denoiser, blurring, soft_score_matching_loss{}, few_digits(), saved,
                            no_training_observer{}, {}, {{{"made_by", "a test"}}, {}});
  const safetensors_file file{saved.checkpoint};
  CHECK(file.metadata("made_by") == "a test");
  const auto state = read_checkpoint(file, denoiser.network().layout());
  CHECK(state.losses == result.losses);
  CHECK(state.test_losses == result.test_losses);
  const auto now = denoiser.network().parameters();
  CHECK(read_parameters(file, denoiser.network().layout()) == std::vector<float>(now.begin(), now.end()));
  CHECK(state.average == std::vector<float>(now.begin(), now.end()));

  const plain_cnn wider{{17}, {1, 1, 12, 12}}, deeper{{16, 16}, {1, 1, 12, 12}}, larger{{16}, {1, 1, 13, 13}};
  for (const auto* other : {&wider, &deeper, &larger})
    CHECK_REFUSED(read_checkpoint(file, other->layout()), "c.safetensors");
  auto shorter = options();
  shorter.epochs = 2;
  trainer brief{be, blurring, denoiser, soft_score_matching_loss{}, as_view(few_digits().training.pixels), shorter};
  CHECK_REFUSED(brief.restore(state), "steps of the saved state is 12, but it must be at most those to be done");
}

TEST_CASE("A loss that is not finite names step and batch and leaves the last good checkpoint") {
  serial_backend be;
  const temporary_folder folder;
  auto broken = few_digits();
  auto saved = options();
  saved.checkpoint = folder / "c.safetensors";
  std::size_t steps = 0;
  // The images are the caller's, so one can go wrong in the middle of a run: in the second epoch here.
  const auto spoil = [&](const training_progress& p) {
    steps = p.step;
    if (p.step == 5) broken.training.pixels.fill(std::nanf(""));
  };
  auto denoiser = small();
  CHECK_REFUSED(train(be, denoiser, blurring, soft_score_matching_loss{}, broken, saved, spoil),
                "the loss of step 6 (batch 2 of epoch 2) is nan, but it must be finite; the last good checkpoint is " +
                    saved.checkpoint.string());
  CHECK(steps == 5);
  const auto kept = read_checkpoint(safetensors_file{saved.checkpoint}, denoiser.network().layout());
  CHECK(kept.losses.size() == 4);
  for (const float p : kept.parameters) REQUIRE(std::isfinite(p));

  for (float& pixel : broken.training.pixels) pixel = std::nanf("");
  saved.checkpoint = folder / "none.safetensors";
  CHECK_REFUSED(train(be, denoiser, blurring, soft_score_matching_loss{}, broken, saved), "there is no checkpoint yet");
}

TEST_CASE("An observer of training is told how the network is computed") {
  const auto told = [](auto be) {
    auto denoiser = small();
    std::string text;
    const auto look = [&](const training_progress& p) {
      text = p.computed;
      return false;
    };
    train(be, denoiser, blurring, soft_score_matching_loss{}, few_digits(), options(), look);
    return text;
  };
  CHECK(told(tbb_backend{1}) == "convolutions: 2 by direct sum over blocks of channels");
  CHECK(told(serial_backend{}).empty());
}

TEST_CASE("An observer stops training after the step, and what was done is saved") {
  serial_backend be;
  const temporary_folder folder;
  auto saved = options();
  saved.checkpoint = folder / "c.safetensors";
  auto denoiser = small();
  const auto result = train(be, denoiser, blurring, soft_score_matching_loss{}, few_digits(), saved,
                            [](const training_progress& p) { return p.step < 6; });
  CHECK(result.stopped);
  CHECK(result.losses.size() == 6);
  CHECK(safetensors_file{saved.checkpoint}.tensor<float>("losses").size() == 6);
}

// The defaults are those of Knottenbelt n.d. for DDPM; times are drawn as in Ho et al. 2020.
TEST_CASE("Options that cannot be right are refused before any work") {
  serial_backend be;
  auto denoiser = small();
  const auto with = [&](auto change) {
    auto wrong = options();
    change(wrong);
    train(be, denoiser, blurring, soft_score_matching_loss{}, few_digits(), wrong);
  };
  CHECK_REFUSED(with([](auto& o) { o.epochs = 0; }), "epochs is 0");
  CHECK_REFUSED(with([](auto& o) { o.batch_size = 0; }), "batch_size is 0");
  CHECK_REFUSED(with([](auto& o) { o.batch_size = 65; }), "the batch size is 65");
  CHECK_REFUSED(with([](auto& o) { o.learning_rate = -1.0; }), "learning_rate is -1");
  CHECK_REFUSED(with([](auto& o) { o.learning_rate = std::nan(""); }), "learning_rate is nan");
  CHECK_REFUSED(with([](auto& o) { o.max_grad_norm = 0.0; }), "max_grad_norm is 0");
  CHECK_REFUSED(with([](auto& o) { o.ema_decay = 1.0; }), "ema_decay is 1");
}

TEST_CASE("Test images of another shape than the training images are refused before any work") {
  serial_backend be;
  auto denoiser = small();
  bool worked = false;
  const auto look = [&](const training_progress&) { worked = true; };
  for (const std::size_t side : {14u, 28u}) {
    const data_set unlike{few_digits().training, stroke_digits(2, 1, side)};
    CHECK_REFUSED(train(be, denoiser, blurring, soft_score_matching_loss{}, unlike, options(), look),
                  "shape of a test image is 1 x 1 x " + std::to_string(side));
  }
  CHECK_FALSE(worked);
  trainer work{be, blurring, denoiser, soft_score_matching_loss{}, as_view(few_digits().training.pixels), options()};
  const auto colored = make_tensor({2, 3, 12, 12});
  CHECK_REFUSED(work.test(as_view(colored)), "shape of a test image is 1 x 3 x 12 x 12");
  const auto none = make_tensor({0, 1, 12, 12});
  CHECK_REFUSED(work.test(as_view(none)), "number of test images is 0");
}

TEST_CASE("Training images of another shape than the network's are refused by that name") {
  serial_backend be;
  auto denoiser = small();
  const data_set unlike{stroke_digits(64, 1, 28), {}};
  CHECK_REFUSED(train(be, denoiser, blurring, soft_score_matching_loss{}, unlike, options()),
                "shape of a training image is 1 x 1 x 28 x 28, but it must be that of the denoiser's images");
}

TEST_CASE("A test loss that is not finite ends training as a training loss does") {
  const temporary_folder folder;
  serial_backend be;
  auto saved = options();
  saved.checkpoint = folder / "last.safetensors";
  saved.checkpoint_every = 3;  // an epoch has 4 steps
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    auto denoiser = small();
    data_set broken = few_digits();
    broken.test.pixels(3, 0, 5, 5) = value;
    CHECK_REFUSED(train(be, denoiser, blurring, soft_score_matching_loss{}, broken, saved),
                  "the test loss after step 4 is ");
    CHECK_REFUSED(train(be, denoiser, blurring, soft_score_matching_loss{}, broken, saved),
                  "finite; the last good checkpoint is " + saved.checkpoint.string());
  }
}

TEST_CASE("Labels that are not one for each image are refused") {
  serial_backend be;
  auto denoiser = small();
  for (const bool of_test : {false, true}) {
    data_set data = few_digits();
    auto& labels = of_test ? data.test.labels : data.training.labels;
    labels.pop_back();
    CHECK_REFUSED(
        train(be, denoiser, blurring, soft_score_matching_loss{}, data, options()),
        of_test ? "for the test images, number of labels is 15" : "for the training images, number of labels is 63");
  }
}

TEST_CASE("More steps than can be numbered are refused in one sentence") {
  serial_backend be;
  auto denoiser = small();
  for (const std::size_t epochs : {std::size_t{1} << 30, std::size_t{100'000'000'000}, ~std::size_t{0}}) {
    auto many = options();
    many.epochs = epochs;
    CHECK_REFUSED(
        train(be, denoiser, blurring, soft_score_matching_loss{}, few_digits(), many),
        "epochs x steps of an epoch is " + std::to_string(epochs) + " x 4, but it must be at most 4294967295");
  }
}

TEST_CASE("More digits than there is memory for are refused with the bytes") {
  if (!memory_can_be_refused) return;
  CHECK_REFUSED(stroke_digits(4'000'000'000, 1, 1024), "memory for a tensor is 16777216000000000 bytes");
}

TEST_CASE("A network whose parameters were set to 0 is trained from 0, a new one from the seed") {
  serial_backend be;
  auto fresh = small(), zero = small(), expected = small();
  CHECK_FALSE(fresh.network().initialized());
  zero.network().set_parameters(std::vector<float>(zero.network().parameter_count()));
  CHECK(zero.network().initialized());
  expected.network().initialize(options().seed);
  const auto start_of = [&](auto& denoiser) {
    return trainer{be, blurring, denoiser, soft_score_matching_loss{}, as_view(few_digits().training.pixels), options()}
        .state()
        .parameters;
  };
  CHECK(start_of(zero) == std::vector<float>(zero.network().parameter_count()));
  const auto values = expected.network().parameters();
  CHECK(start_of(fresh) == std::vector<float>(values.begin(), values.end()));
}
