// Several devices that train one network, each in a thread of its own.
#include "catch.hpp"

#define small char  // as headers of Windows do: no kernel of a device may have that name

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/objective/soft_score_matching_loss.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/train/trainer.hpp>

#include "emulated_data_parallel.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

const shape image{1, 1, 8, 6};

training_options options_of(std::size_t batch) {
  training_options options;
  options.epochs = 8;
  options.batch_size = batch;
  options.seed = 7;
  options.ema_decay = 0.9;
  options.max_grad_norm = 1.0;
  return options;
}

// What four steps leave: the parameters, their average and the losses, and the test loss.
template <class Be, class C, class D, class O>
std::vector<float> trained(Be& be, const C& corruption, D denoiser, const O& objective,
                           view<const float, host_space> images, std::size_t parts = 1) {
  auto options = options_of(12);
  options.accumulate = parts;
  trainer<Be, C, D, O> work{be, corruption, denoiser, objective, images, options};
  for (int i = 0; i < 4; ++i) work.step();
  const training_state state = work.state();
  std::vector<float> all = state.parameters;
  all.insert(all.end(), state.average.begin(), state.average.end());
  all.insert(all.end(), state.losses.begin(), state.losses.end());
  all.push_back(static_cast<float>(work.test(images.images(0, 7))));
  return all;
}

template <class C, class D, class O>
void check_data_parallel(const C& corruption, const D& denoiser, const O& objective) {
  serial_backend host;
  const auto images = random_batch<float>(host, image.with_images(24), 5);
  emulated_backend one;
  const auto alone = trained(one, corruption, denoiser, objective, images.view());
  for (const auto& [ranks, parts] :
       std::initializer_list<std::pair<std::size_t, std::size_t>>{{1, 1}, {2, 1}, {3, 1}, {2, 3}}) {
    CAPTURE(ranks, parts);
    emulated_meeting meeting{ranks};
    std::vector<std::vector<float>> of_rank(ranks);
    {
      std::vector<std::jthread> threads;
      for (std::size_t rank = 0; rank < ranks; ++rank)
        threads.emplace_back([&, rank, split = parts] {
          emulated_data_parallel_backend be{meeting, rank};
          of_rank[rank] = trained(be, corruption, denoiser, objective, images.view(), split);
        });
    }
    for (const auto& each : of_rank) CHECK((each == of_rank[0]));
    REQUIRE(of_rank[0].size() == alone.size());
    double sum = 0;
    for (std::size_t i = 0; i < alone.size(); ++i) {
      const double d = static_cast<double>(of_rank[0][i]) - static_cast<double>(alone[i]);
      sum += d * d;
    }
    // The same images, times and noise, so the same gradient but for the order of its sum; where a gradient is near 0,
    // Adam's first steps of 2e-4 may go another way.
    CHECK(std::sqrt(sum / static_cast<double>(alone.size())) < 2e-5);
    if (ranks == 1) CHECK((of_rank[0] == alone));
  }
}

}  // namespace

TEST_CASE("a data-parallel group of devices trains as one device does, and its ranks stay the same",
          "[data_parallel]") {
  const plain_cnn network{{3, 2}, image};
  const corruption chain{scaling{}, linear_beta{}};
  check_data_parallel(chain, epsilon_denoiser{network, chain}, epsilon_loss{});
  const corruption blurring{gaussian_blur{.half_width = 6}, two_stage{.level_max = 3.0}};
  check_data_parallel(blurring, residual_denoiser{network}, soft_score_matching_loss{});
}

namespace {

// The loss of DDPM, whose gradient is infinite at one evaluation.
struct exploding_score : epsilon_loss {
  int* evaluations_left;

  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& c, const D& d, DM& dm, const corrupted_batch<Be, T>& batch, in_of<Be, T> phi,
                out_of<Be, T> gradient, double* losses, M& memory) const {
    epsilon_loss::evaluate<Be, C, D, DM, T, M>(be, c, d, dm, batch, phi, gradient, losses, memory);
    if (--*evaluations_left == 0) be.combine(gradient, term{1e300, gradient});
  }
};

}  // namespace

TEST_CASE("a gradient that is not finite changes nothing on a device, and the next step says so", "[data_parallel]") {
  serial_backend host;
  const auto images = random_batch<float>(host, image.with_images(24), 5);
  const corruption chain{scaling{}, linear_beta{}};
  epsilon_denoiser denoiser{plain_cnn{{3, 2}, image}, chain};
  using C = std::remove_const_t<decltype(chain)>;
  emulated_backend be;
  int left = 4;
  const auto sentence = std::string{"the norm of the gradient of step 4 (batch 2 of epoch 2) is "};
  trainer<emulated_backend, C, decltype(denoiser), exploding_score> work{
      be, chain, denoiser, exploding_score{{}, &left}, images.view(), options_of(12)};
  for (int i = 0; i < 3; ++i) work.step();
  const training_state before = work.state();
  work.step();
  CHECK_THAT(refusal([&] { work.step(); }), Catch::Matchers::ContainsSubstring(sentence));
  CHECK(work.done() == 3);
  const training_state after = work.state();
  CHECK((after.parameters == before.parameters));
  CHECK((after.average == before.average));
  CHECK((after.first_moment == before.first_moment));
  CHECK((after.second_moment == before.second_moment));
  // And so does the check before a checkpoint.
  left = 1;
  work.step();
  CHECK_THAT(refusal([&] { work.require_finite(); }), Catch::Matchers::ContainsSubstring(sentence));
  // From here on it goes on.
  work.step();
  work.require_finite();
  CHECK((work.state().parameters != before.parameters));
}

TEST_CASE("a device trains as the host does with weight decay, frozen parameters and batches in parts",
          "[data_parallel]") {
  serial_backend host;
  const auto images = random_batch<float>(host, image.with_images(24), 5);
  const corruption chain{scaling{}, linear_beta{}};
  const plain_cnn network{{3, 2}, image};
  auto options = options_of(12);
  options.weight_decay = 0.5;
  options.learning_rate_decay = rate_decay::linear;
  options.ema_decay = 0.0;
  options.ema = power_ema(0.2);
  options.random_flip = true;
  options.accumulate = 3;
  options.frozen = {"blocks.0.norm", "time.2"};
  const auto on = [&](auto& be) {
    using Be = std::remove_reference_t<decltype(be)>;
    epsilon_denoiser denoiser{network, chain};
    trainer<Be, std::remove_const_t<decltype(chain)>, decltype(denoiser), epsilon_loss> work{
        be, chain, denoiser, epsilon_loss{}, images.view(), options};
    for (int i = 0; i < 4; ++i) work.step();
    work.require_finite();
    return work.state();
  };
  emulated_backend device, other;
  const auto here = on(host), there = on(device);
  CHECK((on(other).parameters == there.parameters));
  double sum = 0;
  for (std::size_t i = 0; i < here.parameters.size(); ++i) {
    const double d = static_cast<double>(here.parameters[i]) - static_cast<double>(there.parameters[i]),
                 a = static_cast<double>(here.average[i]) - static_cast<double>(there.average[i]);
    sum += d * d + a * a;
  }
  // As above: where a gradient is near 0, Adam's first steps of 2e-4 may go another way.
  CHECK(std::sqrt(sum / static_cast<double>(2 * here.parameters.size())) < 2e-5);
  for (const parameter& p : network.layout()) {
    if (!p.name.starts_with("blocks.0.norm") && !p.name.starts_with("time.2")) continue;
    for (std::size_t i = p.offset; i < p.offset + p.size(); ++i) {
      CHECK(there.parameters[i] == here.parameters[i]);
      CHECK(there.first_moment[i] == 0.0f);
    }
  }
}

TEST_CASE("a data-parallel group refuses a batch that it cannot share", "[data_parallel]") {
  serial_backend host;
  const auto images = random_batch<float>(host, image.with_images(24), 5);
  const corruption chain{scaling{}, linear_beta{}};
  epsilon_denoiser denoiser{plain_cnn{{3, 2}, image}, chain};
  using D = decltype(denoiser);
  using C = std::remove_const_t<decltype(chain)>;
  emulated_meeting meeting{3};
  emulated_data_parallel_backend be{meeting, 1};
  using data_parallel_trainer = trainer<emulated_data_parallel_backend, C, D, epsilon_loss>;
  const auto options = options_of(10);
  CHECK_THAT(refusal([&] { data_parallel_trainer(be, chain, denoiser, epsilon_loss{}, images.view(), options); }),
             Catch::Matchers::ContainsSubstring("batch_size is 10, but it must be a multiple of the number of ranks"));
  auto parts = options_of(12);
  parts.accumulate = 3;
  CHECK_THAT(
      refusal([&] { data_parallel_trainer(be, chain, denoiser, epsilon_loss{}, images.view(), parts); }),
      Catch::Matchers::ContainsSubstring("accumulate is 3, but it must be a divisor of the images of each rank"));
}
