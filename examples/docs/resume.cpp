// A training run that is interrupted and continued from its checkpoint ends with the same bits as an uninterrupted one.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iostream>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/soft_score_matching_loss.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/train/train.hpp>

using namespace softscore;

namespace {

auto new_denoiser() { return residual_denoiser{plain_cnn{{4, 8}, {1, 1, 16, 16}}}; }

}  // namespace

int main() try {
  serial_backend be;
  const auto digits = stroke_digit_set(256, 32, 1, 16);
  const corruption blurring{gaussian_blur{.half_width = 16}, two_stage{.level_max = 8.0}};
  const std::filesystem::path file = "resume.safetensors";
  std::filesystem::remove(file);

  auto whole = new_denoiser();
  train(be, whole, blurring, soft_score_matching_loss{}, digits, {.epochs = 3, .batch_size = 32, .ema_decay = 0.99});

  // begin resume
  const training_options options{
      .epochs = 3, .batch_size = 32, .ema_decay = 0.99, .checkpoint = file, .checkpoint_every = 5};
  auto denoiser = new_denoiser();
  const auto stop = [](const training_progress& p) { return p.step < 13; };
  train(be, denoiser, blurring, soft_score_matching_loss{}, digits, options, stop);

  // Later, in another process: the same options, and the state from the file.
  auto continued = new_denoiser();
  const auto state = read_checkpoint(read_safetensors(file), continued.network().layout());
  train(be, continued, blurring, soft_score_matching_loss{}, digits, options, no_training_observer{}, state);
  // end resume

  // begin load
  auto loaded = new_denoiser();
  loaded.network().set_parameters(read_parameters(read_safetensors(file), loaded.network().layout()));
  // end load

  const bool same = std::ranges::equal(whole.network().parameters(), continued.network().parameters()) &&
                    std::ranges::equal(whole.network().parameters(), loaded.network().parameters());
  std::cout << "interrupted at step " << state.losses.size()
            << " of 24: " << (same ? "the same bits\n" : "other bits\n");
  return same && state.losses.size() == 13 ? 0 : 1;
} catch (const error& problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
