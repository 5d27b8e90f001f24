#pragma once

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/read_file.hpp>

namespace softscore::inline SOFTSCORE_ABI {

static_assert(std::endian::native == std::endian::little, "the .npy files written here are little-endian");

namespace detail {

/// An element type of a .npy file: its name and the bytes of one element.
struct npy_type {
  std::string_view name;
  std::size_t size;
};

/// The types that are read; a type of one byte may have any byte order.
inline constexpr npy_type npy_types[] = {{"<f4", 4}, {"<f8", 8}, {"|u1", 1}, {"<u1", 1}, {">u1", 1}};

/// The contents of a .npy file's header.
struct npy_header {
  npy_type type;
  shape extent;
};

// Reads the one line of Python in a .npy header, in the form that NumPy writes: a dictionary of three entries.
template <class = when_called>
class npy_header_reader {
 public:
  npy_header_reader(std::string_view text, std::string_view path) : rest_{text}, path_{path} {}

  npy_header read() {
    bool descr = false, order = false, extent = false;
    npy_header result{};
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        result.type = element_type();
        descr = true;
      } else if (key == "fortran_order" && !order) {
        require_file(word("False"), path_, "fortran_order", "not False", "False (rows stored one after another)");
        order = true;
      } else if (key == "shape" && !extent) {
        result.extent = four_numbers();
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
  npy_type element_type() {
    const std::string_view text = quoted();
    for (const npy_type& each : npy_types) {
      if (each.name == text) return each;
    }
    reject(printable(path_) + ": the element type", printable(text, 80),
           "<f4, <f8 or |u1 (float32 or float64, little-endian, or bytes)");
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

/// Writes images as NumPy's .npy (format 1.0: float32, C order, rank four). The file appears complete or not at all.
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

/// Reads images from a .npy file of NumPy (format 1 to 3: C order, rank four, including empty arrays): float32
/// unchanged, float64 rounded to float32, and bytes as byte / 255. Throws `error` naming the file for all other
/// content, including a wrong element type, order, rank or length, and if a finite float64 is too large for float32.
template <class = when_called>
image_batch read_npy(const std::filesystem::path& path) {
  const std::string name = path.string();
  const auto bytes = read_file(path);
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  detail::require_file(text.starts_with("\x93NUMPY"), name, "the beginning", "not NumPy's", "\\x93NUMPY");
  detail::require_file(text.size() >= 8 && text[6] >= 1 && text[6] <= 3 && text[7] == 0, name, "the format", "another",
                       "version 1.0, 2.0 or 3.0");
  const std::size_t start = text[6] == 1 ? 10 : 12;  // after the header's length, of two bytes or four
  detail::require_file(text.size() >= start, name, "the size", text.size(),
                       "at least " + std::to_string(start) + " bytes");
  std::size_t length = 0;
  for (std::size_t at = start; at-- > 8;) length = 256 * length + bytes[at];
  detail::require_file(length <= text.size() - start, name, "the length of the header", length,
                       "no more than the file has");
  const auto [type, extent] = detail::npy_header_reader<>{text.substr(start, length), name}.read();

  const std::size_t content = text.size() - start - length;
  const std::size_t sides[] = {extent.images, extent.channels, extent.height, extent.width};
  const bool empty = std::find(std::begin(sides), std::end(sides), 0u) != std::end(sides);
  // The sides of an empty array must fit together too: other code multiplies only some of them.
  const std::size_t most = empty ? (std::numeric_limits<std::size_t>::max)() / 8 : content;
  std::size_t counts[] = {1, 1, 1, 1};
  std::transform(std::begin(sides), std::end(sides), std::begin(counts), [](auto n) { return n > 0 ? n : 1; });
  const auto expected = product_within(counts, most / type.size);
  detail::require_file(expected && (empty ? 0 : *expected * type.size) == content, name, "the shape", extent,
                       "one that the " + std::to_string(content) + " bytes of content fill");
  auto images = make_tensor(extent);
  const std::uint8_t* const from = bytes.data() + start + length;
  for (std::size_t i = 0; i < images.size(); ++i) {
    float& to = images.data()[i];
    if (type.size == sizeof(float)) {
      std::memcpy(&to, from + i * sizeof(float), sizeof(float));
    } else if (type.size == sizeof(double)) {
      double number = 0;
      std::memcpy(&number, from + i * sizeof(double), sizeof(double));
      to = static_cast<float>(number);
      detail::require_file(std::isinf(number) || !std::isinf(to), name, "a number", number, "in the range of float32");
    } else {
      to = static_cast<float>(from[i]) / 255.0f;
    }
  }
  return images;
}

}  // namespace softscore::inline SOFTSCORE_ABI
