#pragma once

#include <string>
#include <string_view>

// The names in command lines and checkpoints before the first release. Both are read with either name and written with
// the new one.
namespace digits {

struct old_name {
  std::string_view now, before;
};

inline constexpr old_name old_flags[]{{"--batch-size", "--batch"},
                                      {"--learning-rate", "--rate"},
                                      {"--warmup-steps", "--warm-up"},
                                      {"--sample-batch-size", "--sample-batch"}};

inline constexpr old_name old_settings[]{{"batch_size", "batch"},
                                         {"learning_rate", "rate"},
                                         {"max_grad_norm", "clip_norm"},
                                         {"warmup_steps", "warm_up"},
                                         {"ema_decay", "average"}};

/// Where a checkpoint keeps the arrays of the prior.
inline constexpr old_name old_prior{"prior", "start"};

/// A word of a command line with the current name of a flag, with or without a value in the same word.
inline std::string with_new_name(std::string word) {
  const std::string_view flag = std::string_view{word}.substr(0, word.find('='));
  for (const old_name& name : old_flags)
    if (flag == name.before) return std::string{name.now} + word.substr(flag.size());
  return word;
}

/// The name of a setting in a file; `holds(name)` says whether the file has it. The old name is used only if the new
/// one is missing.
template <class Holds>
std::string name_in_file(std::string_view setting, const Holds& holds) {
  if (!holds(setting))
    for (const old_name& name : old_settings)
      if (setting == name.now && holds(name.before)) return std::string{name.before};
  return std::string{setting};
}

}  // namespace digits
