#pragma once

#include <string>
#include <vector>

#include "process.hpp"

/// The command line of examples/digits, whose place the build gives.
inline std::vector<std::string> digits_command(std::vector<std::string> words) {
  words.insert(words.begin(), DIGITS_PROGRAM);
  return words;
}
inline ending digits(const std::vector<std::string>& words, const std::string& out = "") {
  return run_program(digits_command(words), out);
}

/// Flags of a run that takes a second: 4 steps an epoch of a network with one block of 16 channels, on 12 x 12 pixels.
inline std::vector<std::string> small_run(const std::string& recipe, const temporary_folder& folder,
                                          const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{"train",
                                 "--recipe",
                                 recipe,
                                 "--network",
                                 "16",
                                 "--side",
                                 "12",
                                 "--images",
                                 "128",
                                 "--batch-size",
                                 "32",
                                 "--epochs",
                                 "2",
                                 "--count",
                                 "4",
                                 "--steps",
                                 "5",
                                 "--threads",
                                 "2",
                                 "--out",
                                 folder.path().string()};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}
