#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <softscore/io/safetensors.hpp>
#include <softscore/train/train.hpp>

#include "model.hpp"
#include "settings.hpp"

namespace digits {

/// A model read from a checkpoint, ready to sample, with what the file says about its training.
struct loaded_model {
  std::unique_ptr<model> made;
  read_settings about;
  softscore::training_state state;
};

/// Reads a checkpoint that `digits train` wrote. Throws `error` naming the file for any other.
loaded_model load_checkpoint(const std::filesystem::path& path);

/// Makes a network of the settings for images of that shape, in its recipe.
std::unique_ptr<model> make_model(const run_settings& settings, const softscore::shape& image);

/// What a checkpoint holds besides the state of training: settings, and the prior. `m` must outlive the result.
softscore::checkpoint_extras extras_of(const run_settings& settings, model& m, const std::string& fingerprint);

}  // namespace digits
