#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace common {

/// What training leaves behind.
struct training_record {
  std::vector<float> losses;        ///< of every step
  std::vector<double> test_losses;  ///< after every epoch
  double seconds{};                 ///< of this call; 0 if there was no training in it
  std::string computed{};           ///< how the network was, where training said so
};

/// The losses as a file of comma-separated values: a line for each step, with the test loss on the last of an epoch.
std::string loss_table(const training_record& record, std::size_t steps_per_epoch);

}  // namespace common
