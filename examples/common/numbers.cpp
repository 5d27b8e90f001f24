#include "numbers.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>

#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/io/file_error.hpp>

namespace common {

std::size_t whole_number(std::string_view where, const std::string& text, std::size_t least, std::size_t most) {
  std::size_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failed == std::errc{} && end == text.data() + text.size() && value >= least && value <= most;
  softscore::require(whole, where, text.empty() ? "empty" : softscore::detail::printable(text, 80),
                     "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return value;
}

double real_number(std::string_view where, const std::string& text, double least, bool above) {
  double value = 0.0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool number = failed == std::errc{} && end == text.data() + text.size() && !std::isnan(value);
  softscore::require(number && (above ? value > least : value >= least), where,
                     text.empty() ? "empty" : softscore::detail::printable(text, 80),
                     std::string{"a number "} + (above ? "above " : "of at least ") + exactly(least));
  return value;
}

std::string exactly(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

std::string grouped(std::size_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string seconds_text(double seconds) {
  if (seconds < 60.0) return softscore::detail::fixed(seconds, 1) + " s";
  char text[32];
  const auto whole = static_cast<long>(seconds + 0.5);
  std::snprintf(text, sizeof text, "%ld:%02ld min", whole / 60, whole % 60);
  return text;
}

}  // namespace common
