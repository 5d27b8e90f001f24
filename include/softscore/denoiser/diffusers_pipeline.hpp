#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/denoiser/diffusers_scheduler.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/nn/diffusers.hpp>
#include <softscore/nn/diffusers/settings_writer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A model of diffusers: a UNet2DModel and the scheduler that it was trained with.
struct diffusers_pipeline {
  unet<step_index> network;
  diffusers_scheduler scheduler{};
};

/// Reads the folder of a DDPMPipeline or DDIMPipeline, or a model's folder with scheduler_config.json beside
/// config.json. Throws `error` as `load_diffusers` and `load_diffusers_scheduler` do, and for a network whose table of
/// times has a different number of steps than the scheduler.
template <class = when_called>
diffusers_pipeline load_diffusers_pipeline(const std::filesystem::path& folder, const loading_options& options = {}) {
  diffusers_scheduler scheduler = load_diffusers_scheduler(folder);  // first, because it is quick to read
  diffusers_pipeline all{load_diffusers(folder, options), std::move(scheduler)};
  if (all.network.steps() != all.scheduler.chain_steps())
    reject(detail::printable(folder.string()) + ": num_train_timesteps of the scheduler", all.scheduler.chain_steps(),
           "the steps of the network, " + std::to_string(all.network.steps()));
  return all;
}

/// Writes a folder that diffusers' DDPMPipeline.from_pretrained reads (DDIMPipeline's for `scheduler_kind::ddim`): the
/// model in unet/ as `save_diffusers` writes it, scheduler/scheduler_config.json, and model_index.json. `values` are
/// the network's weights, and `which` says whether they are the average. Before it writes any file it throws `error` as
/// `save_diffusers` and `scheduler_config_text` do, if scheduler and network have different numbers of steps, and for a
/// network that does not state the size of its images, which the pipeline needs.
template <class = when_called>
void save_diffusers(const std::filesystem::path& folder, const unet<step_index>& net,
                    const diffusers_scheduler& scheduler, std::span<const float> values, saved_weights which) {
  static_cast<void>(scheduler_config_text(scheduler));  // throws if invalid
  require(scheduler.chain_steps() == net.steps(), "the number of steps of the scheduler's chain",
          scheduler.chain_steps(), "that of the network's, " + std::to_string(net.steps()));
  require(net.settings().height > 0 && net.settings().width > 0, "the height and width of the network's settings", 0,
          "those of an image, for a pipeline draws images of that size");
  const bool ddim = scheduler.kind == scheduler_kind::ddim;
  detail::settings_writer index;
  index.add_text("_class_name", ddim ? "DDIMPipeline" : "DDPMPipeline");
  const auto part = [&](std::string_view name, std::string_view type) {
    index.add_list(name, 2, [&](std::size_t k) { return '"' + std::string{k == 0 ? "diffusers" : type} + '"'; });
  };
  part("scheduler", detail::spelling(detail::scheduler_names, scheduler.kind));
  part("unet", "UNet2DModel");
  save_diffusers(folder / "unet", net, values, which);
  save_diffusers_scheduler(folder / "scheduler", scheduler);
  write_file(folder / "model_index.json", std::string_view{index.done()});
}

/// Writes the same with the network's own parameters.
template <class = when_called>
void save_diffusers(const std::filesystem::path& folder, const unet<step_index>& net,
                    const diffusers_scheduler& scheduler, saved_weights which = saved_weights::last) {
  save_diffusers(folder, net, scheduler, net.parameters(), which);
}

}  // namespace softscore::inline SOFTSCORE_ABI
