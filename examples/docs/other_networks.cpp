// Loads networks of guided-diffusion, EDM and SR3 from folders as the page's Python writes them, and samples from them.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/karras_sigma.hpp>
#include <softscore/corruption/spacing.hpp>
#include <softscore/denoiser/edm_denoiser.hpp>
#include <softscore/denoiser/learned_variance_denoiser.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/edm.hpp>
#include <softscore/nn/guided_diffusion.hpp>
#include <softscore/nn/sr3.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/learned_ddpm.hpp>
#include <softscore/sampler/sample.hpp>

using namespace softscore;

namespace {

// Makes a folder as Python would write it, from a network with initial values.
template <class Net>
void make(const std::filesystem::path& folder, const std::string& config, Net net, const source_layout& names) {
  std::filesystem::create_directories(folder);
  std::ofstream{folder / "config.json"} << config;
  net.initialize(1);
  std::vector<std::vector<float>> values;
  std::vector<named_tensor> tensors;
  for (const parameter& p : names.tensors()) values.push_back(names.gather<float>(p, net.parameters()));
  std::size_t k = 0;
  for (const parameter& p : names.tensors()) tensors.emplace_back(p.name, p.sizes, values[k++]);
  write_safetensors(folder / "model.safetensors", std::span<const named_tensor>{tensors});
}

bool sound(const row_major_tensor<float>& images) {
  return std::all_of(images.data(), images.data() + images.size(), [](float x) { return std::isfinite(x); });
}

}  // namespace

int main() try {
  const std::filesystem::path adm_folder = "adm_folder", edm_folder = "edm_folder", sr3_folder = "sr3_folder";
  guided_diffusion_settings adm{.image_size = 8, .out_channels = 6, .model_channels = 8, .channel_mult = {1, 2}};
  adm.num_res_blocks = 1;
  adm.attention_resolutions = {2};
  adm.num_classes = 10;
  adm.groups = 4;
  make(adm_folder,
       R"({"image_size": 8, "out_channels": 6, "model_channels": 8, "channel_mult": [1, 2], "num_res_blocks": 1,
           "attention_resolutions": [2], "num_classes": 10, "groups": 4})",
       unet<step_index>{unet_settings(adm)},
       guided_diffusion_names(adm, unet<step_index>::layout_of(unet_settings(adm))));
  edm_settings edm{.img_resolution = 8, .in_channels = 3, .out_channels = 3, .label_dim = 10};
  edm.model_channels = 8;
  edm.channel_mult = {1, 2};
  edm.num_blocks = 1;
  make(edm_folder,
       R"({"model_type": "SongUNet", "img_resolution": 8, "in_channels": 3, "out_channels": 3, "label_dim": 10,
           "model_channels": 8, "channel_mult": [1, 2], "num_blocks": 1})",
       unet<c_noise>{unet_settings(edm)}, edm_names(edm, unet<c_noise>::layout_of(unet_settings(edm))));
  sr3_settings sr3{.image_size = 8, .inner_channel = 8, .norm_groups = 4, .channel_mults = {1, 2}};
  sr3.res_blocks = 1;
  make(sr3_folder,
       R"({"image_size": 8, "inner_channel": 8, "norm_groups": 4, "channel_mults": [1, 2], "res_blocks": 1})",
       unet<noise_level>{unet_settings(sr3)}, sr3_names(sr3, unet<noise_level>::layout_of(unet_settings(sr3))));

  tbb_backend be;
  // begin adm
  const corruption chain{scaling{}, cosine_beta{1000}};  // noise_schedule cosine
  const learned_variance_denoiser denoiser{load_guided_diffusion(adm_folder), chain};
  const auto pictures = sample(be, learned_ddpm{}, chain, denoiser, linspace_grid(1000, 25),
                               {.images = 2, .seed = 1, .labels = {3, 7}, .pixels = pixel_scale{2.0f, -1.0f}});
  // end adm

  // begin edm
  const corruption noise{identity{}, karras_sigma{.sigma_min = 0.0, .rho = 1.0}};  // sigma = 80 t
  const edm_denoiser preconditioned{load_edm(edm_folder), noise};
  const auto drawn = sample(be, edm_heun{}, noise, preconditioned, karras_grid(noise, 18),
                            {.images = 2, .seed = 1, .labels = {3, 7}, .pixels = pixel_scale{2.0f, -1.0f}});
  // end edm

  // begin sr3
  const std::vector<float> enlarged(2 * 3 * 8 * 8, 0.5f);  // two images, already resized to the size of x
  const epsilon_denoiser enlarger{load_sr3(sr3_folder), chain};
  const auto sharp = sample(be, ddim{1.0}, chain, enlarger, linspace_grid(1000, 25),
                            {.images = 2, .seed = 1, .given = {.image = {enlarged.data(), {2, 3, 8, 8}}}});
  // end sr3

  std::cout << "drew " << pictures.images.size() << ", " << drawn.images.size() << " and " << sharp.images.size()
            << " numbers\n";
  return sound(pictures.images) && sound(drawn.images) && sound(sharp.images) ? 0 : 1;
} catch (const error& problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
