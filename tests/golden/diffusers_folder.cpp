// Writes folders for diffusers and evaluates folders of diffusers: what tools/diffusers_round_trip.py compares with
// diffusers itself.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/denoiser/diffusers_pipeline.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/train/train.hpp>

namespace {

using namespace softscore;
namespace fs = std::filesystem;

// One level of each kind that changes the names in the file.
unet_config small_config() {
  unet_config c;
  c.in_channels = c.out_channels = 1;
  c.height = c.width = 16;
  c.block_out_channels = {8, 16, 16};
  c.down_blocks = {unet_block::plain, unet_block::attention, unet_block::resnet};
  c.up_blocks = {unet_block::resnet, unet_block::attention, unet_block::plain};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.norm_eps = 1e-6;
  c.downsample_padding = 0;
  return c;
}

// A network after eight steps on digits, with the average of its weights.
void make(const fs::path& folder) {
  tbb_backend be;
  const diffusers_scheduler scheduler;
  epsilon_denoiser denoiser{unet<step_index>{small_config()}, scheduler.noising()};
  train(be, denoiser, scheduler.noising(), epsilon_loss{}, stroke_digit_set(128, 16, 1, 16),
        {.epochs = 1,
         .batch_size = 16,
         .ema_decay = 0.9,
         .times = {.indices = scheduler.chain_steps()},
         .pixels = scheduler.pixels});
  save_diffusers(folder, denoiser.network(), scheduler, saved_weights::average);
  const diffusers_pipeline again = load_diffusers_pipeline(folder);
  const auto saved = denoiser.network().parameters(), loaded = again.network.parameters();
  for (std::size_t i = 0; i < saved.size(); ++i) require(saved[i] == loaded[i], "a weight", loaded[i], "as it was");
}

// The output at `x` and `t` of a file, into another.
void evaluate(const fs::path& folder, const fs::path& in, const fs::path& out) {
  tbb_backend be;
  const unet<step_index> net = load_diffusers(folder);
  const safetensors_file file{in};
  const auto& extent = file.extent("x");
  const shape batch{extent.at(0), extent.at(1), extent.at(2), extent.at(3)};
  std::vector<step_index> times;
  for (const float t : file.tensor<float>("t", {batch.images})) times.push_back({static_cast<double>(t)});
  std::vector<class_label> labels;
  if (file.contains("class_labels"))
    for (const std::int64_t label : file.tensor<std::int64_t>("class_labels", {batch.images}))
      labels.push_back(static_cast<class_label>(label));
  auto x = be.make<float>(batch), y = be.make<float>(net.output(batch));
  auto ws = net.workspace<float>(be, batch);
  be.upload(file.tensor<float>("x").data(), x.view());
  net.evaluate(be,
               network_input<step_index>{per_image<step_index>{std::span<const step_index>{times}},
                                         conditioning{.labels = labels}},
               x.view(), y.view(), ws);
  std::vector<float> values(y.view().size());
  be.download(y.view(), values.data());
  const shape s = y.view().extent();
  write_safetensors(out, {named_tensor{"output", {s.images, s.channels, s.height, s.width}, values}});
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 2 && words[0] == "make") {
    make(words[1]);
  } else if (words.size() == 3 && words[0] == "copy") {
    const diffusers_pipeline pipeline = load_diffusers_pipeline(words[1]);
    save_diffusers(words[2], pipeline.network, pipeline.scheduler);
  } else if (words.size() == 4 && words[0] == "evaluate") {
    evaluate(words[1], words[2], words[3]);
  } else {
    std::fprintf(stderr, "usage: diffusers_folder make FOLDER | copy FROM TO | evaluate FOLDER IN OUT\n");
    return 2;
  }
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
