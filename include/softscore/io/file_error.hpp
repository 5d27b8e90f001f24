#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

/// Makes text from a file or a path fit for an error message: control characters become '?', and long text is cut.
inline std::string printable(std::string_view text, std::size_t longest = 300) {
  std::string shown{text.substr(0, longest)};
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text.size() > longest ? shown + "..." : shown;
}

/// Throws "<path> cannot <do what>: <the system's reason>".
[[noreturn]] inline void file_failure(std::string_view path, std::string_view what, int reason) {
  throw error(printable(path) + " cannot " + std::string{what} + ": " + std::generic_category().message(reason));
}

/// Throws "<path>: <argument> is <value>, but it must be <rule>" unless `holds`.
inline void require_file(bool holds, std::string_view path, std::string_view argument, std::string_view value,
                         std::string_view rule) {
  if (!holds) reject(printable(path) + ": " + std::string{argument}, value, rule);
}
/// The same for values that are not text. (A template that also took text would be instantiated for each length of a
/// literal.)
template <class Value>
  requires(!std::convertible_to<const Value&, std::string_view>)
void require_file(bool holds, std::string_view path, std::string_view argument, const Value& value,
                  std::string_view rule) {
  if (!holds) reject(printable(path) + ": " + std::string{argument}, value, rule);
}

/// Runs `check`, and puts the file in front of the sentence that it throws: "<path>: ...".
template <class Check>
void require_for_file(std::string_view path, const Check& check) {
  try {
    check();
  } catch (const error& problem) {
    throw error(printable(path) + ": " + problem.what());
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
