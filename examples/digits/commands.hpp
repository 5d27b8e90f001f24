#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "model.hpp"
#include "settings.hpp"

// The commands of the program. Each one throws `softscore::error` if something cannot be done, and `stopped_by_user` if
// it was interrupted.
namespace digits {

/// A finished checkpoint is overwritten only on request. Throws `error` unless `overwrite` is true or there is none.
void require_no_checkpoint(const std::filesystem::path& checkpoint, bool overwrite);

/// Where a run writes its results, and how its pictures are drawn.
struct results_plan {
  std::filesystem::path out{};
  std::filesystem::path checkpoint{};
  sampling_plan sampling{};
  std::string title{};
  std::filesystem::path judge{};  ///< whose features the report also compares; empty for principal components alone
};

struct train_command {
  run_settings settings{};
  results_plan results{};
  std::size_t threads{};
  bool overwrite{};
  std::optional<double> minutes{};  ///< stop training after this time, and continue with sampling
};
void run(train_command command);

struct resume_command {
  results_plan results{};
  std::optional<std::size_t> epochs{};
  std::optional<std::string> data{};
  std::optional<std::string> sampler{};
  std::optional<std::size_t> steps{};
  std::size_t threads{};
};
void run(resume_command command);

struct sample_command {
  std::filesystem::path checkpoint{}, out{};
  sampling_plan sampling{};
  std::optional<std::string> sampler{};
  std::optional<std::size_t> steps{};
  prior_choice prior{prior_choice::trained};
  std::string data{};  ///< where the images are that another prior is fitted to; empty for their original place
  std::size_t threads{};
};
void run(sample_command command);

struct show_command {
  results_plan results{};  ///< without a checkpoint, the effect of the recipe of the settings on its data
  run_settings settings{};
  std::optional<std::string> sampler{};
  std::optional<std::size_t> steps{};
  std::size_t threads{};
};
void run(show_command command);

struct score_command {
  std::filesystem::path file{};
  std::string data{};
  std::string features{};  ///< file of a judge or of Inception; empty for principal components alone
  std::size_t images{};
  std::size_t threads{};
};
void run(const score_command& command);

/// The longest time that the demo trains: with the build of a clone and the drawing, five minutes on two cores.
inline constexpr double demo_minutes = 2.6;

struct demo_command {
  std::string data{};
  std::filesystem::path out{"out/demo"};
  std::optional<double> minutes{};
  std::size_t threads{};
  std::uint64_t seed{};
  bool quick{}, overwrite{};
};
void run(const demo_command& command);

}  // namespace digits
