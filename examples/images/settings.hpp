#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/core/shape.hpp>
#include <softscore/denoiser/diffusers/scheduler.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/unet/config.hpp>
#include <softscore/train/saved_options.hpp>

namespace images {

/// Everything that affects the bits of a training run. It is stored in the checkpoint; the number of threads and the
/// names of files are not.
struct run_settings {
  std::string data{};         ///< folder of the images
  std::size_t images{};       ///< how many of them to train on; 0 for all
  std::size_t test_images{};  ///< the most that are kept for the test loss
  softscore::unet_config network{};
  softscore::diffusers_scheduler scheduler{};
  softscore::training_options training{};
  std::vector<std::string> classes{};  ///< the names of the labels, from 0 on; empty if not given
  std::string fingerprint{};           ///< of the images
};

/// How to draw images, as given on the command line.
struct sampling_plan {
  std::string sampler{"ddim"};
  std::size_t steps{50};
  std::size_t count{64};
  std::size_t batch_size{64};
  std::uint64_t seed{0};
  std::optional<std::string> labels{};     ///< "all", "none" or classes; all by default
  std::optional<double> guidance_scale{};  ///< of classifier-free guidance; 1 is the label alone
};

/// A U-Net as the command line describes it.
struct network_plan {
  std::vector<std::size_t> widths{32, 64, 64};  ///< of the levels, the first one with the images' own size
  std::size_t layers{2};                        ///< residual blocks of a level
  std::size_t attention{1};                     ///< how many of the last levels have attention
  double dropout{};
};

/// Returns the settings of a U-Net for images of that shape, with that many classes (0: it takes no labels). Throws
/// `error` for more levels with attention than there are levels, and as `require_size` does.
softscore::unet_config network_for(const network_plan& plan, const softscore::shape& image, std::size_t classes);

/// Throws `error`, in which `of` says whose images these are, unless the network's levels divide their size and it has
/// their channels.
void require_size(const softscore::unet_config& network, const softscore::shape& image, const std::string& of);

/// Parses widths such as 32,64,64. Throws `error` that names the flag `where`.
std::vector<std::size_t> parse_widths(std::string_view where, const std::string& text);

/// Parses the schedule of the noise: "linear" or "cosine". Throws `error` that names the flag `where`.
softscore::diffusers_scheduler parse_schedule(std::string_view where, const std::string& text);

/// Parses labels: "all", "none", or names or numbers of classes, separated by commas. `count` is the number of classes,
/// which have the names `classes` if these are not empty. Throws `error` that names the flag `where` for an unknown
/// name, and for labels of a network that takes none.
std::vector<softscore::class_label> parse_labels(std::string_view where, const std::string& text, std::size_t count,
                                                 const std::vector<std::string>& classes);

/// The name of a class for people.
std::string class_name(const std::vector<std::string>& classes, std::size_t label);

softscore::checkpoint_settings to_metadata(const run_settings& settings);
/// Reads them back. Throws `error` naming the file and the entry that is missing or invalid, and for a file that this
/// program did not write.
run_settings from_metadata(const softscore::safetensors_file& file);

}  // namespace images
