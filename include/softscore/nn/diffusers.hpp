#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/make_folder.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/diffusers/read_config.hpp>
#include <softscore/nn/diffusers/weights.hpp>
#include <softscore/nn/diffusers/write_config.hpp>
#include <softscore/nn/unet.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Options of `load_diffusers`.
struct loading_options {
  bool partial{};        ///< parameters that the file lacks, or has in another shape, keep their initial values
  std::uint64_t seed{};  ///< seed of these values
  weights_fit* fit{};    ///< where to report what did not fit, if anywhere
};

/// Whether saved weights are the last ones of training, or their moving average.
enum class saved_weights { last, average };

namespace detail {

inline constexpr const char* diffusers_weights = "diffusion_pytorch_model";

// The folder of the model itself: a pipeline's folder has it in unet/.
inline std::filesystem::path model_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  const bool pipeline = !std::filesystem::exists(folder / "config.json", ignored) &&
                        std::filesystem::exists(folder / "unet" / "config.json", ignored);
  return pipeline ? folder / "unet" : folder;
}

// The file of the weights. Throws `error` for formats that are not supported, and says how to convert them.
inline std::filesystem::path weights_file(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / (std::string{diffusers_weights} + ".safetensors");
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) return file;
  const std::string advice =
      "one safetensors file: in Python, UNet2DModel.from_pretrained(folder).save_pretrained(other, "
      "max_shard_size=\"100GB\") writes it";
  for (const char* end : {".safetensors.index.json", ".bin.index.json"})
    if (std::filesystem::exists(folder / (diffusers_weights + std::string{end}), ignored))
      reject(printable(folder.string()) + ": the model", "split over several files", advice);
  if (std::filesystem::exists(folder / (std::string{diffusers_weights} + ".bin"), ignored))
    reject(printable(folder.string()) + ": the model", "pickled", advice);
  return file;  // reading it reports that it is missing
}

// The number of steps of the chain, from the scheduler beside a model or that of its pipeline; `otherwise` if there is
// none.
template <class = when_called>
std::size_t chain_steps_of(const std::filesystem::path& folder, std::size_t otherwise) {
  std::error_code ignored;
  for (const std::filesystem::path& file :
       {folder / "scheduler" / "scheduler_config.json", folder / "scheduler_config.json"})
    if (std::filesystem::exists(file, ignored)) {
      const json_settings settings = read_json_settings(file);
      const std::size_t steps = settings.size("num_train_timesteps", otherwise);
      if (steps == 0) settings.refuse("num_train_timesteps", "at least 1");
      return steps;
    }
  return otherwise;
}

template <NetworkTime Time>
void require_scale(const unet_config& c, const std::filesystem::path& config) {
  const bool fourier = c.time_embedding == unet_time::fourier;
  const bool fits = fourier ? std::same_as<Time, sigma> : std::same_as<Time, step_index>;
  require_file(fits, config.string(), "time_embedding_type", spelling(time_names, c.time_embedding),
               std::same_as<Time, sigma>        ? "fourier for a network of sigma"
               : std::same_as<Time, step_index> ? "positional or learned for a network of step_index"
                                                : "read into a network of step_index, or of sigma where it is fourier");
}

}  // namespace detail

/// Reads the UNet2DModel of a folder that diffusers' save_pretrained wrote, or of a pipeline's folder: config.json and
/// diffusion_pytorch_model.safetensors, whose float16 and bfloat16 weights are widened. If there is a scheduler's file,
/// it says how many steps the chain has; denoiser/diffusers_scheduler.hpp reads the rest of it. `Time` is `step_index`,
/// or `sigma` if time_embedding_type is fourier. Throws `error` naming the file: for settings that are not supported
/// (`read_unet_config`), for a network on another scale of time, and for weights that are split, pickled, missing,
/// surplus, of another shape or not finite, unless `options` allow them; at least one tensor must fit. Names and shapes
/// are compared before memory for the network is allocated.
template <NetworkTime Time = step_index>
unet<Time> load_diffusers(const std::filesystem::path& folder, const loading_options& options = {}) {
  const std::filesystem::path at = detail::model_folder(folder), config = at / "config.json";
  unet_config settings = read_unet_config(config);
  settings.chain_steps = detail::chain_steps_of(folder, settings.chain_steps);
  detail::require_scale<Time>(settings, config);
  const std::filesystem::path weights = detail::weights_file(at);
  const safetensors_file file{weights};
  const auto of_config = [&](const auto& make) {
    try {
      return make();
    } catch (const error& refused) {
      throw error(detail::printable(config.string()) + ": " + refused.what());
    }
  };
  {  // before memory is allocated for as many numbers as a config may ask for
    const parameter_layout layout = of_config([&] { return unet<Time>::layout_of(settings); });
    const weights_fit fit = compare_weights(file, layout, "", [](const parameter&, const std::string&) {});
    if (options.fit != nullptr) *options.fit = fit;
    if (!options.partial)
      require_whole(fit, weights.string());
    else if (fit.missing.size() + fit.mismatched.size() == layout.arrays())
      throw error(detail::printable(weights.string()) +
                  ": no tensor fits the network that config.json describes, but at least one must");
  }
  unet<Time> net = of_config([&] { return unet<Time>{settings}; });
  if (options.partial) net.initialize(options.seed);
  read_weights(file, net.layout(), net.mutable_parameters());
  return net;
}

/// Writes a folder that diffusers' UNet2DModel.from_pretrained reads: config.json and the weights `values`, a flat
/// array in the order of the network's parameters, as float32. The entry "weights" of the file's metadata says whether
/// they are the last ones or the average. Throws `error` for settings that UNet2DModel does not have, for a wrong
/// number of weights, for a weight that is not finite, and if the folder cannot be written.
template <NetworkTime Time>
void save_diffusers(const std::filesystem::path& folder, const unet<Time>& net, std::span<const float> values,
                    saved_weights which) {
  require(values.size() == net.parameter_count(), "the number of weights", values.size(),
          "that of the network, " + std::to_string(net.parameter_count()));
  const unet_config& settings = net.settings();
  const bool fourier = settings.time_embedding == unet_time::fourier;
  require(fourier || std::same_as<Time, step_index>, "the scale of time of a network for diffusers", "another one",
          "the step index");
  for (const parameter& p : net.layout())
    for (const float value : values.subspan(p.offset, p.size()))
      if (!std::isfinite(value)) reject("a number in the array " + p.name, value, "finite");
  const std::string config = unet_config_text(settings);
  detail::make_folder(folder);
  std::vector<named_tensor> tensors;
  for (const parameter& p : net.layout()) tensors.emplace_back(p.name, p.sizes, values.subspan(p.offset, p.size()));
  write_safetensors(folder / (std::string{detail::diffusers_weights} + ".safetensors"),
                    std::span<const named_tensor>{tensors},
                    {{"format", "pt"}, {"weights", which == saved_weights::average ? "average" : "last"}});
  atomic_file file{folder / "config.json"};
  file.write(std::string_view{config});
  file.commit();
}

/// Writes the same with the network's own parameters.
template <NetworkTime Time>
void save_diffusers(const std::filesystem::path& folder, const unet<Time>& net,
                    saved_weights which = saved_weights::last) {
  save_diffusers(folder, net, net.parameters(), which);
}

}  // namespace softscore::inline SOFTSCORE_ABI
