#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

inline std::string idx_words(std::initializer_list<std::uint32_t> values) {
  std::string bytes;
  for (const std::uint32_t value : values) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((value >> shift) & 0xFFu);
  }
  return bytes;
}

inline std::string idx_images_file(std::uint32_t count, std::uint32_t height, std::uint32_t width) {
  std::string file = idx_words({0x803, count, height, width});
  for (std::size_t i = 0; i < std::size_t{count} * height * width; ++i) file += static_cast<char>(i * 31 % 256);
  return file;
}

inline std::string idx_labels_file(std::uint32_t count) {
  std::string file = idx_words({0x801, count});
  for (std::size_t i = 0; i < count; ++i) file += static_cast<char>(i % 10);
  return file;
}
