#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <oneapi/tbb/info.h>
#include <CLI/CLI.hpp>

#include <softscore/core/error.hpp>

#include "numbers.hpp"

namespace common {

/// The flags of one command. They are received as text and parsed by our own rules, so that every wrong value gets the
/// same kind of sentence.
class flags {
 public:
  flags(CLI::App& all, const char* name, const char* about) : app_{*all.add_subcommand(name, about)} {}

  template <class Target>
  CLI::Option* whole(const std::string& flag, Target& target, const std::string& about, std::size_t least = 1,
                     std::size_t most = std::size_t{1} << 40) {
    return text(
        flag, "N",
        [&target, flag, least, most](const std::string& given) { target = whole_number(flag, given, least, most); },
        about);
  }
  template <class Target>
  CLI::Option* above_zero(const std::string& flag, Target& target, const std::string& about) {
    return text(
        flag, "NUMBER", [&target, flag](const std::string& given) { target = real_number(flag, given, 0.0, true); },
        about);
  }
  template <class Target>
  CLI::Option* zero_or_above(const std::string& flag, Target& target, const std::string& about) {
    return text(
        flag, "NUMBER", [&target, flag](const std::string& given) { target = real_number(flag, given, 0.0); }, about);
  }
  template <class Target>
  CLI::Option* word(const std::string& flag, const char* kind, Target& target, const std::string& about) {
    return text(
        flag, kind,
        [&target, flag](const std::string& given) {
          softscore::require(!given.empty(), flag, "empty", "given a value");
          // With an empty value (--out=$NOTHING) the next flag becomes the value.
          softscore::require(!given.starts_with("--"), flag, given, "given a value, not the next flag");
          target = given;
        },
        about);
  }
  CLI::Option* text(const std::string& flag, const char* kind, std::function<void(const std::string&)> read,
                    const std::string& about) {
    return app_.add_option_function<std::string>(flag, std::move(read), about)->type_name(kind)->take_last();
  }
  void threads(std::size_t& target) {
    target = static_cast<std::size_t>(tbb::info::default_concurrency());
    whole("--threads", target, "threads to compute with; the result does not depend on it (all the machine has)", 1,
          4096);
  }
  /// Refuses flags that would have no effect together with the others.
  void leave_out(std::initializer_list<const char*> names, const std::string& reason) const {
    for (const char* name : names) {
      const auto given = app_.get_option(name)->results();
      softscore::require(given.empty(), name, given.empty() ? "" : given.back(), "left out, " + reason);
    }
  }
  CLI::App& app() { return app_; }

 private:
  CLI::App& app_;
};

/// Reads the words of a command line in order, and runs `act` unless they ask for help. Returns the exit code. Throws
/// `error` with one sentence for wrong words.
inline int parse_and_run(CLI::App& all, std::vector<std::string> words, const std::function<void()>& act) {
  try {
    std::reverse(words.begin(), words.end());  // CLI11 expects the last word first
    all.parse(std::move(words));
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) return all.exit(problem);  // --help
    std::string sentence = problem.what();
    std::replace(sentence.begin(), sentence.end(), '\n', ' ');
    throw softscore::error(sentence);
  }
  act();
  return 0;
}

}  // namespace common
