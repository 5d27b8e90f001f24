#pragma once

#include <string>
#include <string_view>

// What command lines and checkpoints called things before the first release. Both are read by either name and written
// by the new one.
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

/// A word of a command line with the name that a flag has now, whether its value follows in the word or not.
inline std::string with_new_name(std::string word) {
  const std::string_view flag = std::string_view{word}.substr(0, word.find('='));
  for (const old_name& name : old_flags)
    if (flag == name.before) return std::string{name.now} + word.substr(flag.size());
  return word;
}

/// The name of a setting in a file, in which `holds(name)` says whether it is there: the old one only if the new one
/// is missing.
template <class Holds>
std::string name_in_file(std::string_view setting, const Holds& holds) {
  if (!holds(setting))
    for (const old_name& name : old_settings)
      if (setting == name.now && holds(name.before)) return std::string{name.before};
  return std::string{setting};
}

}  // namespace digits
