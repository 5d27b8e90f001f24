#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace common {

/// Parses an integer in [least, most] that consists of decimal digits only. `where` names it in the `error` thrown.
std::size_t whole_number(std::string_view where, const std::string& text, std::size_t least,
                         std::size_t most = std::size_t{1} << 40);
/// Parses a finite number, at least `least` (or above it if `above`).
double real_number(std::string_view where, const std::string& text, double least, bool above = false);

/// Returns the number with enough digits to read it back exactly.
std::string exactly(double value);
/// Returns a number with commas: 291,217.
std::string grouped(std::size_t number);
/// Returns a length of time for people: "4.2 s", "3:05 min".
std::string seconds_text(double seconds);

}  // namespace common
