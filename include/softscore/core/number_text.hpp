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

// Numbers as messages and files show them: std::to_chars, which no locale of the program changes.

/// The fewest digits that give the same number back, with an exponent where "%g" has one.
template <class Number>
  requires std::is_arithmetic_v<Number>
std::string shortest(Number number) {
  char digits[64];
  if constexpr (std::is_floating_point_v<Number>)
    return {digits, std::to_chars(digits, digits + sizeof digits, number, std::chars_format::general).ptr};
  else
    return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
}

/// The number rounded to so many digits after the point, as "%.*f".
inline std::string fixed(double number, int decimals) {
  char digits[512];  // 309 before the point at most
  const auto [end, failed] = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed, decimals);
  return failed == std::errc{} ? std::string{digits, end} : shortest(number);
}

/// The number rounded to so many digits in all, as "%.*g".
inline std::string rounded(double number, int digits) {
  char text[64];
  const auto [end, failed] = std::to_chars(text, text + sizeof text, number, std::chars_format::general, digits);
  return failed == std::errc{} ? std::string{text, end} : shortest(number);
}

/// "1 channel", "2 channels": a count and what it counts, whose plural ends in s.
inline std::string counted(std::size_t count, std::string_view noun) {
  std::string text = shortest(count);
  ((text += ' ') += noun) += count == 1 ? "" : "s";
  return text;
}

/// Any value as text: words as they are, numbers by `shortest`, all else as it prints itself to a stream.
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
