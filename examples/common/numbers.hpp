#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace common {

/// A whole number in [least, most], written in decimal digits and nothing else. `where` names it in the `error` thrown.
std::size_t whole_number(std::string_view where, const std::string& text, std::size_t least,
                         std::size_t most = std::size_t{1} << 40);
/// A finite number, at least `least` (and above it if `above`).
double real_number(std::string_view where, const std::string& text, double least, bool above = false);

/// Enough digits to read back the same number.
std::string exactly(double value);
/// A number with commas: 291,217.
std::string grouped(std::size_t number);
/// A length of time for people: "4.2 s", "3:05 min".
std::string seconds_text(double seconds);

}  // namespace common
