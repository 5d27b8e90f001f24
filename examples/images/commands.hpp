#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "settings.hpp"

// The commands of the program. Each one throws `softscore::error` if something cannot be done, and `stopped_by_user` if
// it was interrupted.
namespace images {

/// Where a run writes its results, and how its pictures are drawn.
struct results_plan {
  std::filesystem::path out{"out/images"};
  std::filesystem::path checkpoint{};
  sampling_plan sampling{};
};

struct train_command {
  std::string data{};
  std::size_t images{}, test_images{500};
  bool labels{true};       ///< whether labels are used if the images have them
  network_plan network{};  ///< plan of a new network
  std::string schedule{"linear"};
  std::filesystem::path from{};  ///< a checkpoint or a folder of diffusers to begin with
  softscore::training_options training{};
  std::optional<double> label_dropout{};
  results_plan results{};
  std::size_t threads{};
  std::optional<double> minutes{};  ///< stop training after this time, and continue with drawing
  bool overwrite{};
};
void run(train_command command);

struct resume_command {
  results_plan results{};
  std::optional<std::size_t> epochs{};
  std::optional<std::string> data{};
  std::size_t threads{};
};
void run(resume_command command);

struct sample_command {
  std::filesystem::path checkpoint{}, out{};  ///< the first may be a folder of diffusers
  sampling_plan sampling{};
  std::size_t threads{};
};
void run(const sample_command& command);

struct show_command {
  std::filesystem::path checkpoint{};
};
void run(const show_command& command);

struct save_command {
  std::filesystem::path checkpoint{}, out{};
  bool overwrite{};
};
void run(const save_command& command);

/// The samplers by name, for --help.
std::string sampler_names();

}  // namespace images
