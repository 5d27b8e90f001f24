#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/core/shape.hpp>
#include <softscore/corruption/tabulated.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/train/checkpoint.hpp>
#include <softscore/train/options.hpp>

#include "any_network.hpp"
#include "common/numbers.hpp"
#include "using_common.hpp"

namespace digits {

/// Everything that affects the bits of a training run. It is stored in the checkpoint; the number of threads and the
/// names of files are not.
struct run_settings {
  std::string recipe{"blur"};
  std::string data{};    ///< folder of MNIST's four files; empty for the built-in stroke digits
  std::size_t images{};  ///< how many of them to train on; 0 for all
  std::size_t side{28};  ///< side of the stroke digits, in pixels
  network_choice network{};
  double ahead{};                                  ///< how much earlier than t soft score matching compares
  std::string objective{};                         ///< of a soft recipe: "soft" or "naive"; empty for the others
  std::optional<softscore::tabulated> schedule{};  ///< of a soft recipe, if not its own
  softscore::training_options training{};
};

/// Parses the loss of a soft recipe. Throws `error`, in which `where` names the flag or file, unless it is "soft" or
/// "naive".
std::string parse_objective(std::string_view where, const std::string& text);

/// Parses a network by its channels: "small" and "large" are those of Knottenbelt n.d., "8,16,8" gives the blocks of
/// such a network one by one, and "unet:16,32,32" the levels of a U-Net. `where` names the flag or file in the message
/// of the `error` that it throws.
network_choice parse_network(std::string_view where, const std::string& text);
std::string network_text(const network_choice& network);

/// Returns what a checkpoint was made with: the settings, the image shape and the fingerprint of the training images,
/// as text.
softscore::checkpoint_settings to_metadata(const run_settings& settings, const softscore::shape& image,
                                           const std::string& fingerprint);

struct read_settings {
  run_settings settings;
  softscore::shape image;
  std::string fingerprint;
};
/// Reads them back. Throws `error` naming the file and the entry that is missing or invalid.
read_settings from_metadata(const softscore::safetensors_file& file);

}  // namespace digits
