#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

/// A 32-bit number as PNG stores it, the highest byte first.
inline std::string png_word(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((value >> shift) & 0xFFu);
  return bytes;
}

inline std::string png_chunk(const std::string& type, const std::string& content) {
  const std::string checked = type + content;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
  return png_word(static_cast<std::uint32_t>(content.size())) + checked + png_word(static_cast<std::uint32_t>(sum));
}

/// Bytes as text, so that samples can be written as numbers.
inline std::string png_bytes(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

/// How the samples of a PNG file are stored; `type` is 0 for gray, 2 for RGB, 3 for a palette, 4 and 6 for alpha.
struct png_layout {
  std::uint32_t width, height;
  int depth, type;
  bool interlaced{};
};

/// A PNG file written without libpng: `lines` are the scan lines, each behind its filter's number, and `before` the
/// chunks between header and pixels.
inline std::string png_file(const png_layout& layout, const std::string& lines, const std::string& before = {}) {
  uLongf size = compressBound(static_cast<uLong>(lines.size()));
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(lines.data()),
           static_cast<uLong>(lines.size()));
  packed.resize(size);
  return "\x89PNG\r\n\x1A\n" +
         png_chunk("IHDR", png_word(layout.width) + png_word(layout.height) +
                               png_bytes({layout.depth, layout.type, 0, 0, layout.interlaced ? 1 : 0})) +
         before + png_chunk("IDAT", packed) + png_chunk("IEND", "");
}
