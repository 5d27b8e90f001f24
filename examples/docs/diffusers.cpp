// Loads a model of diffusers from a folder, samples from it, continues its training, and saves it for diffusers.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include <softscore/backend/tbb.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/denoiser/diffusers_pipeline.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/sample_pipeline.hpp>
#include <softscore/train/train.hpp>

using namespace softscore;

namespace {

// Makes the folder, with the smallest network that will do.
void make(const std::filesystem::path& folder) {
  // begin make
  unet_config settings;  // with the names and the defaults of UNet2DModel
  settings.in_channels = settings.out_channels = 1;
  settings.height = settings.width = 16;
  settings.block_out_channels = {8, 16};
  settings.down_blocks = {unet_block::plain, unet_block::attention};
  settings.up_blocks = {unet_block::attention, unet_block::plain};
  settings.layers_per_block = 1;
  settings.norm_num_groups = 4;
  unet<step_index> network{settings};
  network.initialize(1);
  const diffusers_scheduler scheduler;  // with the defaults of DDPMScheduler
  save_diffusers(folder, network, scheduler);
  // end make
}

}  // namespace

int main() try {
  const std::filesystem::path folder = "diffusers_folder", trained = "diffusers_trained";
  make(folder);

  // begin sample
  tbb_backend be;
  const diffusers_pipeline pipeline = load_diffusers_pipeline(folder);
  const auto drawn = sample_pipeline(be, pipeline, 10, {.images = 4, .seed = 1});
  // end sample

  // begin by_hand
  const diffusers_scheduler scheduler = load_diffusers_scheduler(folder);
  require_prediction(scheduler, prediction::epsilon);
  epsilon_denoiser denoiser{load_diffusers(folder), scheduler.noising()};
  const auto solved = sample(be, dpm_solver_pp_2m{}, scheduler.noising(), denoiser, scheduler.grid(10),
                             {.images = 4, .seed = 1, .pixels = scheduler.pixels});
  // end by_hand

  // begin train
  const auto digits = stroke_digit_set(256, 32, 1, 16);
  const training_options options{.epochs = 2,
                                 .batch_size = 32,
                                 .learning_rate = 1e-3,
                                 .ema_decay = 0.9,
                                 .times = {.indices = scheduler.chain_steps()},
                                 .pixels = scheduler.pixels};
  const auto result = train(be, denoiser, scheduler.noising(), epsilon_loss{}, digits, options);
  save_diffusers(trained, denoiser.network(), scheduler, saved_weights::average);
  // end train

  // begin partial
  weights_fit fit;
  const auto again = load_diffusers(trained, {.partial = true, .seed = 1, .fit = &fit});
  // end partial
  const auto inside = [](const auto& images) {
    return std::ranges::all_of(images, [](float x) { return x >= 0.0f && x <= 1.0f; });
  };
  const bool same = std::ranges::equal(again.parameters(), denoiser.network().parameters());
  std::cout << "loss " << result.losses.front() << " at first, " << result.losses.back() << " at last; "
            << (same ? "the same weights\n" : "other weights\n");
  return same && fit.whole() && inside(drawn.images) && inside(solved.images) &&
                 result.losses.back() < result.losses.front()
             ? 0
             : 1;
} catch (const error& problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
