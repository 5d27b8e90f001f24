#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

/// Text from a file or a path, fit for an error sentence: control characters become '?', long text is cut.
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
/// The same for values that are no text; a template for text, too, would be one for each length of a literal.
template <class Value>
  requires(!std::convertible_to<const Value&, std::string_view>)
void require_file(bool holds, std::string_view path, std::string_view argument, const Value& value,
                  std::string_view rule) {
  if (!holds) reject(printable(path) + ": " + std::string{argument}, value, rule);
}

/// Runs `check`; the sentence that it throws begins with the file: "<path>: ...".
template <class Check>
void require_for_file(std::string_view path, const Check& check) {
  try {
    check();
  } catch (const error& problem) {
    throw error(printable(path) + ": " + problem.what());
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
