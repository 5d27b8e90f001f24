#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Returns the bytes in base 64 with padding (RFC 4648, section 4).
template <class = when_called>
std::string base64(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = bytes.size() - i;
    const std::uint32_t word = (std::uint32_t{bytes[i]} << 16) | (have > 1 ? std::uint32_t{bytes[i + 1]} << 8 : 0u) |
                               (have > 2 ? std::uint32_t{bytes[i + 2]} : 0u);
    text += digits[(word >> 18) & 63u];
    text += digits[(word >> 12) & 63u];
    text += have > 1 ? digits[(word >> 6) & 63u] : '=';
    text += have > 2 ? digits[word & 63u] : '=';
  }
  return text;
}

/// Returns the bytes of a file as an address that a page can contain, for example with type "image/png".
template <class = when_called>
std::string data_uri(std::string_view type, std::span<const std::uint8_t> bytes) {
  return "data:" + std::string{type} + ";base64," + base64(bytes);
}

}  // namespace softscore::inline SOFTSCORE_ABI
