#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "catch.hpp"

/// Matches numbers within half a unit of the last digit printed, which is all that rounding in print can take:
/// `as_printed("4.03582976538e-5")` is 4.03582976538e-5 to 5e-17.
inline auto as_printed(const std::string& number) {
  const std::size_t exponent = number.find('e'), digits = std::min(exponent, number.size()), point = number.find('.');
  const auto decimals = point == std::string::npos ? 0 : static_cast<int>(digits - point - 1);
  const int power = exponent == std::string::npos ? 0 : std::stoi(number.substr(exponent + 1));
  return Catch::Matchers::WithinAbs(std::stod(number), 0.5 * std::pow(10.0, power - decimals));
}
