#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace common {

/// The record of a training run.
struct training_record {
  std::vector<float> losses;        ///< of every step
  std::vector<double> test_losses;  ///< after every epoch
  double seconds{};                 ///< of this call; 0 if it did no training
  std::string computed{};           ///< how the network was computed, if training said so
};

/// Returns the losses as comma-separated values: a line for each step, with the test loss on the last line of an epoch.
std::string loss_table(const training_record& record, std::size_t steps_per_epoch);

}  // namespace common
