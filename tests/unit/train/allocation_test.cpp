#include "heap.hpp"

#include <array>

#include <softscore/softscore.hpp>

#include "catch.hpp"
#include "labelled_network.hpp"
#include "smallest_unet.hpp"

using namespace softscore;

namespace {

// Counts the allocations between one look and the next; looking allocates nothing.
class counter {
 public:
  template <class Progress>
  void operator()(const Progress&) {
    const std::size_t now = heap::taken.load();
    if (looks_ > 0 && looks_ <= between_.size()) between_[looks_ - 1] = now - before_;
    ++looks_;
    before_ = heap::taken.load();
  }
  std::size_t looks() const { return looks_; }
  // From the end of the first step on.
  std::size_t later() const {
    std::size_t sum = 0;
    for (std::size_t i = 1; i + 1 < looks_ && i < between_.size(); ++i) sum += between_[i];
    return sum;
  }

 private:
  std::array<std::size_t, 64> between_{};
  std::size_t looks_{}, before_{};
};

template <class Be, class C, class D, class O, class S>
void check(Be& be, const C& corruption, D denoiser, O objective, const S& sampler, time_distribution times = {}) {
  const data_set digits{stroke_digits(48, 1, 12), {}};
  counter training;
  train(be, denoiser, corruption, objective, digits,
        {.epochs = 3, .batch_size = 8, .max_grad_norm = 1.0, .warmup_steps = 4, .ema_decay = 0.9, .times = times},
        training);
  CHECK(training.looks() == 18);
  CHECK(training.later() == 0);
  counter sampling;
  sample(be, sampler, corruption, denoiser, uniform_grid(12), {.images = 5, .seed = 1}, sampling);
  CHECK(sampling.looks() == 12);
  CHECK(sampling.later() == 0);
}

// With everything that is drawn for a batch, and the batch in parts.
template <class Be>
void check_all_options(Be& be) {
  const corruption noise{scaling{}, linear_beta{1000}};
  epsilon_denoiser denoiser{labelled_network{{1, 1, 12, 12}, 10, 0.25}, noise};
  training_options options{.epochs = 3, .batch_size = 8, .max_grad_norm = 1.0, .warmup_steps = 4};
  options.learning_rate_decay = rate_decay::cosine;
  options.weight_decay = 0.01;
  options.ema = half_life_ema(100, 0.1);
  options.random_flip = true;
  options.label_dropout = 0.2;
  options.accumulate = 4;
  options.frozen = {"time"};
  counter training;
  train(be, denoiser, noise, epsilon_loss{}, {stroke_digits(48, 1, 12), {}}, options, training);
  CHECK(training.looks() == 18);
  CHECK(training.later() == 0);
}

// A network that sees an image beside x.
template <class Be>
void check_conditions(Be& be) {
  const corruption noise{scaling{}, linear_beta{1000}};
  unet_config c = smallest_unet();
  c.in_channels = 2;
  c.beside_channels = 1;
  epsilon_denoiser denoiser{unet<step_index>{c}, noise};
  auto digits = stroke_digits(16, 1, 12);
  digits.beside = digits.pixels;
  training_options options{.epochs = 2, .batch_size = 8};
  options.random_flip = true;
  options.accumulate = 2;
  counter training;
  train(be, denoiser, noise, epsilon_loss{}, {digits, {}}, options, training);
  CHECK(training.looks() == 4);
  CHECK(training.later() == 0);
}

template <class Be>
void check_recipes(Be& be) {
  const plain_cnn network{{16, 16}, {1, 1, 12, 12}};
  const corruption noise{scaling{}, linear_beta{1000}};
  check(be, noise, epsilon_denoiser{network, noise}, epsilon_loss{}, ddpm{});
  check(be, noise, learned_variance_denoiser{plain_cnn{{16, 16}, {1, 1, 12, 12}, 2}, noise}, learned_variance_loss{},
        learned_ddpm{}, time_distribution{1000});
  const background_corruption erasing{eraser{12, 12}, severity{100}};
  check(be, erasing, clean_denoiser{network}, cold_loss{}, cold{});
  const corruption blurring{gaussian_blur{12}, two_stage{.level_max = 6.0}};
  check(be, blurring, residual_denoiser{network}, soft_score_matching_loss{}, momentum{});
  check(be, blurring, residual_denoiser{network}, naive_loss{}, heun{});
  const corruption masking{centered_mask{}, two_stage{.level_min = 0.0, .level_max = 12.0, .levels = spacing::linear}};
  check(be, masking, residual_denoiser{network}, soft_score_matching_loss{}, naive{});
}

}  // namespace

TEST_CASE("After the first step neither training nor sampling takes memory from the heap") {
  SECTION("serial") {
    serial_backend be;
    check_recipes(be);
    check_all_options(be);
    check_conditions(be);
  }
  SECTION("tbb") {
    tbb_backend be{2};
    check_recipes(be);
    check_all_options(be);
    check_conditions(be);
  }
}
