#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <softscore/core/config.hpp>
#include <softscore/core/number_text.hpp>

namespace softscore {  // shared

/// The one exception of the library. `what()` is a single sentence that names the argument or file, its value, and
/// the rule that the value breaks. It can be caught across libraries compiled with hidden visibility.
class [[gnu::visibility("default")]] error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Throws `error` with the sentence "<argument> is <value>, but it must be <rule>". A number is printed with as many
/// digits as distinguish it from every other, independent of the locale.
template <class Value>
[[noreturn]] void reject(std::string_view argument, const Value& value, std::string_view rule) {
  std::string sentence{argument};
  ((sentence += " is ") += detail::shown(value)) += ", but it must be ";
  throw error(sentence += rule);
}

/// Returns if `holds` is true; otherwise calls `reject(argument, value, rule)`.
template <class Value>
constexpr void require(bool holds, std::string_view argument, const Value& value, std::string_view rule) {
  if (!holds) reject(argument, value, rule);
}

namespace detail {
// Runs `check`, and puts the subject in front of the sentence that it throws: "for the test images, ...".
template <class Check>
void require_for(std::string_view what, const Check& check) {
  try {
    check();
  } catch (const error& problem) {
    std::string sentence{"for the "};
    throw error(((sentence += what) += ", ") += problem.what());
  }
}
}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
