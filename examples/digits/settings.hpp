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

/// All that decides the bits of a training run. It travels in the checkpoint; the number of threads and the names of
/// files do not.
struct run_settings {
  std::string recipe{"blur"};
  std::string data{};    ///< folder of MNIST's four files; empty for the built-in stroke digits
  std::size_t images{};  ///< how many of them to train on; 0 for all
  std::size_t side{28};  ///< of the stroke digits, in pixels
  network_choice network{};
  double ahead{};                                  ///< how much earlier than at t soft score matching compares
  std::string objective{};                         ///< of a soft recipe: "soft" or "naive"; empty for the others
  std::optional<softscore::tabulated> schedule{};  ///< of a soft recipe, if not its own
  softscore::training_options training{};
};

/// The loss of a soft recipe. Throws `error` in which `where` names the flag or file unless it is "soft" or "naive".
std::string parse_objective(std::string_view where, const std::string& text);

/// A network by its channels: "small" and "large" are those of Knottenbelt n.d., "8,16,8" gives the blocks of such a
/// network one by one, and "unet:16,32,32" the levels of a U-Net. `where` names the flag or file in the sentence of the
/// `error` that it throws.
network_choice parse_network(std::string_view where, const std::string& text);
std::string network_text(const network_choice& network);

/// What training images of a run a checkpoint was made with: settings, image shape and fingerprint as text.
softscore::checkpoint_settings to_metadata(const run_settings& settings, const softscore::shape& image,
                                           const std::string& fingerprint);

struct read_settings {
  run_settings settings;
  softscore::shape image;
  std::string fingerprint;
};
/// Reads them back. Throws `error` naming the file and the entry that is missing or cannot be right.
read_settings from_metadata(const softscore::safetensors_file& file);

}  // namespace digits
