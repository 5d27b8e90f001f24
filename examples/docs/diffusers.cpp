// A network written for diffusers and read again, its chain beside it, and images drawn as diffusers' DDIM draws them.
#include <unistd.h>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/denoiser/diffusers_scheduler.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/diffusers.hpp>
#include <softscore/sampler/clipped_ddim.hpp>
#include <softscore/sampler/sample.hpp>

using namespace softscore;

// begin settings
unet_config small_settings() {
  unet_config settings;
  settings.in_channels = settings.out_channels = 1;
  settings.height = settings.width = 16;
  settings.block_out_channels = {16, 32};
  settings.down_blocks = {unet_block::plain, unet_block::attention};
  settings.up_blocks = {unet_block::attention, unet_block::plain};
  settings.layers_per_block = 1;
  settings.norm_num_groups = 8;
  settings.class_embedding = unet_class::table;  // num_class_embeds in diffusers
  settings.num_class_embeds = 10;
  settings.recipe = unet_recipe::adm;
  return settings;
}
// end settings

int main() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("softscore-unet-" + std::to_string(::getpid()));
  // begin save
  unet<step_index> net{small_settings()};
  net.initialize(1);
  save_diffusers(folder, net);
  save_diffusers_scheduler(folder, {.table = linear_beta{1000}});
  // end save

  // begin load
  const diffusers_scheduler chain = load_diffusers_scheduler(folder);
  require_prediction(chain, prediction::epsilon);
  const epsilon_denoiser denoiser{load_diffusers(folder), chain.noising()};
  // end load
  std::filesystem::remove_all(folder);

  // begin sample
  tbb_backend be;
  const auto drawn = sample(be, clipped_ddim{}, chain.noising(), denoiser, chain.grid(10), {.images = 2, .seed = 3});
  // end sample
  const bool finite =
      std::all_of(drawn.images.begin(), drawn.images.end(), [](float v) { return std::abs(v) <= 1.0f; });
  const bool same = std::equal(net.parameters().begin(), net.parameters().end(),
                               denoiser.network().parameters().begin(), denoiser.network().parameters().end());
  std::cout << drawn.images.size() << " pixels\n";
  return finite && same && drawn.images.size() == 2 * 16 * 16 ? 0 : 1;
}
