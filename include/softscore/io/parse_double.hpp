#pragma once

#include <charconv>
#include <locale>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Returns the value of `text`, a number of JSON, independent of the global locale; nothing if it is outside the range
// of double.
template <class = when_called>
std::optional<double> parse_double(std::string_view text) {
  double number{};
#if defined(__cpp_lib_to_chars)
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{}) return std::nullopt;
#else  // libc++ before version 20 has from_chars for integers only
  std::istringstream stream{std::string{text}};
  stream.imbue(std::locale::classic());
  if (!(stream >> number)) return std::nullopt;
#endif
  return number;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
