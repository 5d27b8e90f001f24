#pragma once

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/read_file.hpp>

namespace softscore::inline SOFTSCORE_ABI {

static_assert(std::endian::native == std::endian::little, "the .npy files written here are little-endian");

namespace detail {

// Reads the one line of Python that a .npy header is, as far as NumPy writes it: a dictionary of three entries.
template <class = when_called>
class npy_header_reader {
 public:
  npy_header_reader(std::string_view text, std::string_view path) : rest_{text}, path_{path} {}

  shape read() {
    bool descr = false, order = false, extent = false;
    shape result;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        const std::string_view type = quoted();
        require_file(type == "<f4", path_, "the element type", printable(type, 80), "<f4 (float32, little-endian)");
        descr = true;
      } else if (key == "fortran_order" && !order) {
        require_file(word("False"), path_, "fortran_order", "not False", "False (rows stored one after another)");
        order = true;
      } else if (key == "shape" && !extent) {
        result = four_numbers();
        extent = true;
      } else {
        broken();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!rest_.empty() || !descr || !order || !extent) broken();
    return result;
  }

 private:
  [[noreturn]] void broken() const {
    reject(printable(path_) + ": the header", "broken", "a dictionary of descr, fortran_order and shape");
  }
  void skip_space() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n' || rest_[0] == '\t')) rest_.remove_prefix(1);
  }
  bool accept(char c) {
    skip_space();
    const bool there = rest_.starts_with(c);
    if (there) rest_.remove_prefix(1);
    return there;
  }
  void expect(char c) {
    if (!accept(c)) broken();
  }
  bool word(std::string_view text) {
    skip_space();
    const bool there = rest_.starts_with(text);
    if (there) rest_.remove_prefix(text.size());
    return there;
  }
  std::string_view quoted() {
    skip_space();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) broken();
    const auto end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) broken();
    const auto inside = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return inside;
  }
  shape four_numbers() {
    std::size_t numbers[4] = {};
    std::size_t count = 0;
    expect('(');
    while (!accept(')')) {
      skip_space();
      require_file(count < 4, path_, "the shape", "of more than four dimensions", "images x channels x height x width");
      const auto [end, failed] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), numbers[count]);
      if (failed != std::errc{}) broken();
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      ++count;
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    require_file(count == 4, path_, "the shape", "of " + std::to_string(count) + " dimensions",
                 "images x channels x height x width");
    return {numbers[0], numbers[1], numbers[2], numbers[3]};
  }

  std::string_view rest_, path_;
};

}  // namespace detail

/// Writes images as NumPy's .npy (format 1.0: float32, C order, rank four). The file appears whole or not at all.
template <class = when_called>
void write_npy(const std::filesystem::path& path, view<const float, host_space> images) {
  const shape& s = images.extent();
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(s.images) + ", " +
                       std::to_string(s.channels) + ", " + std::to_string(s.height) + ", " + std::to_string(s.width) +
                       "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string start{"\x93NUMPY\x01\x00", 8};
  start += static_cast<char>(header.size() & 0xFFu);
  start += static_cast<char>(header.size() >> 8);
  atomic_file file{path};
  file.write(std::string_view{start += header});
  file.write(std::as_bytes(std::span{images.image(0).data(), images.size()}));
  file.commit();
}
template <class = when_called>
void write_npy(const std::filesystem::path& path, const image_batch& images) {
  write_npy(path, as_view(images));
}

/// Reads images from a .npy file as `write_npy` makes it. Throws `error` naming the file for every other content,
/// the element type, the order, the rank and the length included.
template <class = when_called>
image_batch read_npy(const std::filesystem::path& path) {
  const std::string name = path.string();
  const auto bytes = read_file(path);
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  detail::require_file(text.starts_with("\x93NUMPY"), name, "the beginning", "not NumPy's", "\\x93NUMPY");
  detail::require_file(text.size() >= 10 && text[6] == 1 && text[7] == 0, name, "the format", "another", "version 1.0");
  const std::size_t length = std::size_t{bytes[8]} + 256 * std::size_t{bytes[9]};
  detail::require_file(length <= text.size() - 10, name, "the length of the header", length,
                       "no more than the file has");
  const shape extent = detail::npy_header_reader<>{text.substr(10, length), name}.read();

  const std::size_t content = text.size() - 10 - length;
  const std::size_t sides[] = {extent.images, extent.channels, extent.height, extent.width};
  std::size_t expected = sizeof(float);
  bool fits = true;
  for (const std::size_t n : sides) {
    fits = fits && n > 0 && n <= content / expected;
    if (fits) expected *= n;
  }
  detail::require_file(fits && expected == content, name, "the shape", extent,
                       "one of positive sides that the " + std::to_string(content) + " bytes of content fill");
  auto images = make_tensor(extent);
  std::memcpy(images.data(), bytes.data() + 10 + length, content);
  return images;
}

}  // namespace softscore::inline SOFTSCORE_ABI
