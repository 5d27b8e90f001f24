#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Numbers as messages and files show them, through std::to_chars, so that the program's locale does not change them.

/// Returns the fewest digits that read back as the same number, with an exponent where "%g" has one.
template <class Number>
  requires std::is_arithmetic_v<Number>
std::string shortest(Number number) {
  char digits[64];
  if constexpr (std::is_floating_point_v<Number>)
    return {digits, std::to_chars(digits, digits + sizeof digits, number, std::chars_format::general).ptr};
  else
    return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
}

/// Returns the number rounded to that many decimals, like "%.*f".
inline std::string fixed(double number, int decimals) {
  char digits[512];  // 309 before the point at most
  const auto [end, failed] = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed, decimals);
  return failed == std::errc{} ? std::string{digits, end} : shortest(number);
}

/// Returns the number rounded to that many significant digits, like "%.*g".
inline std::string rounded(double number, int digits) {
  char text[64];
  const auto [end, failed] = std::to_chars(text, text + sizeof text, number, std::chars_format::general, digits);
  return failed == std::errc{} ? std::string{text, end} : shortest(number);
}

/// Returns a count and its noun, whose plural ends in s: "1 channel", "2 channels".
inline std::string counted(std::size_t count, std::string_view noun) {
  std::string text = shortest(count);
  ((text += ' ') += noun) += count == 1 ? "" : "s";
  return text;
}

/// Returns any value as text: words unchanged, numbers by `shortest`, everything else as its `operator<<` prints it.
template <class Value>
std::string shown(const Value& value) {
  if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
    return std::string{static_cast<std::string_view>(value)};
  } else if constexpr (std::is_arithmetic_v<Value> && !std::same_as<Value, bool> && !std::same_as<Value, char>) {
    return shortest(value);
  } else {
    std::ostringstream stream;
    stream.imbue(std::locale::classic());
    stream << value;
    return stream.str();
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
