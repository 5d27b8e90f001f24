#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/data/labeled_images.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/gzip.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

template <class Bytes>
std::size_t idx_word(const Bytes& bytes, std::size_t at) {
  return (std::size_t{bytes[at]} << 24) | (std::size_t{bytes[at + 1]} << 16) | (std::size_t{bytes[at + 2]} << 8) |
         std::size_t{bytes[at + 3]};
}

template <class Bytes>
void check_idx_magic(const Bytes& bytes, const std::string& path, std::size_t rank) {
  const std::size_t magic = 0x800 + rank;
  require_file(idx_word(bytes, 0) == magic, path, "the magic number", idx_word(bytes, 0),
               std::to_string(magic) + " (unsigned bytes, rank " + std::to_string(rank) + ")");
}

// Reads an IDX file, packed or not; a packed one is unpacked only as far as the sides in its header allow.
template <class = when_called>
std::vector<std::uint8_t> read_idx(const std::filesystem::path& path, std::size_t rank) {
  return read_plain_or_gzip(path, [&](std::span<const std::uint8_t> head) {
    constexpr std::size_t most = std::size_t{1} << 32;
    const std::size_t start = 4 + 4 * rank;
    if (head.size() < start) return start;
    check_idx_magic(head, path.string(), rank);
    std::vector<std::size_t> sides(rank);
    for (std::size_t i = 0; i < rank; ++i) sides[i] = std::max<std::size_t>(idx_word(head, 4 + 4 * i), 1);
    return start + product_within(sides, most).value_or(most);
  });
}

// Checks the magic number and the sides of an IDX file of unsigned bytes; returns where the content begins.
template <class Bytes, std::size_t Rank>
std::size_t check_idx(const Bytes& bytes, const std::string& path, std::array<std::size_t, Rank>& sides) {
  constexpr std::size_t start = 4 + 4 * Rank;
  const auto word = [&](std::size_t at) { return idx_word(bytes, at); };
  require_file(bytes.size() >= start, path, "the size", bytes.size(),
               "at least the " + std::to_string(start) + " bytes of its header");
  check_idx_magic(bytes, path, Rank);
  const std::size_t room = bytes.size() - start;
  std::string shown;
  for (std::size_t i = 0; i < Rank; ++i) {
    sides[i] = word(4 + 4 * i);
    shown += (i > 0 ? " x " : "") + std::to_string(sides[i]);
  }
  const auto product = product_within(sides, room);
  require_file(product && *product > 0 && *product == room, path, "the shape", shown,
               "one of positive sides that the " + std::to_string(room) + " bytes of content fill");
  return start;
}

}  // namespace detail

/// Reads the images of an IDX file (unsigned bytes, rank 3; plain or gzip) as one channel in [0, 1]. Throws `error`
/// naming the file if its magic number, shape or length is not that of such a file.
template <class = when_called>
image_batch read_idx_images(const std::filesystem::path& path) {
  const auto bytes = detail::read_idx(path, 3);
  std::array<std::size_t, 3> sides{};
  const std::size_t start = detail::check_idx(bytes, path.string(), sides);
  auto images = make_tensor({sides[0], 1, sides[1], sides[2]});
  detail::bytes_to_unit(bytes.data() + start, images.size(), images.data());
  return images;
}

/// Reads the labels of an IDX file (unsigned bytes, rank 1; plain or gzip), each below `classes`.
template <class = when_called>
std::vector<class_label> read_idx_labels(const std::filesystem::path& path, unsigned classes = 10) {
  const auto bytes = detail::read_idx(path, 1);
  std::array<std::size_t, 1> sides{};
  const std::size_t start = detail::check_idx(bytes, path.string(), sides);
  for (const std::uint8_t label : std::span{bytes}.subspan(start)) {
    detail::require_file(label < classes, path.string(), "a label", unsigned{label},
                         "below " + std::to_string(classes));
  }
  return {bytes.begin() + static_cast<std::ptrdiff_t>(start), bytes.end()};
}

namespace detail {

// Finds the file of one part under any of its usual names: "-" or "." before idx, plain before .gz. Kaggle's copy of
// MNIST has folders with one spelling beside files with the other.
template <class = when_called>
std::filesystem::path find_idx(const std::filesystem::path& folder, std::string_view part, std::string_view kind) {
  const std::string stem = std::string{part} + std::string{kind.starts_with("idx3") ? "-images" : "-labels"};
  for (const char* const join : {"-", "."}) {
    for (const char* const end : {"", ".gz"}) {
      const auto path = folder / (stem + join + std::string{kind} + end);
      std::error_code ignored;
      const auto found = std::filesystem::status(path, ignored);
      if (std::filesystem::exists(found) && !std::filesystem::is_directory(found)) return path;
    }
  }
  throw error(printable(folder.string()) + " must have the file " + stem + "-" + std::string{kind} +
              " (or with .gz), but has not");
}

template <class = when_called>
labeled_images read_idx_part(const std::filesystem::path& folder, std::string_view part) {
  const auto labels_path = find_idx(folder, part, "idx1-ubyte");
  labeled_images result{read_idx_images(find_idx(folder, part, "idx3-ubyte")), read_idx_labels(labels_path)};
  require_file(result.labels.size() == result.pixels.shape(0), labels_path.string(), "the number of labels",
               result.labels.size(), "the number of images, " + std::to_string(result.pixels.shape(0)));
  return result;
}

}  // namespace detail

/// Reads MNIST, or any set in its four files, from a folder: {train,t10k}-images-idx3-ubyte and
/// {train,t10k}-labels-idx1-ubyte, also spelled with "." before idx, plain or .gz; folders of those names are skipped.
/// Throws `error` naming the folder or file and what is wrong with it; both parts must have images of one size.
template <class = when_called>
data_set read_mnist(const std::filesystem::path& folder) {
  data_set data{detail::read_idx_part(folder, "train"), detail::read_idx_part(folder, "t10k")};
  const shape expected = data.training.extent().with_images(data.test.extent().images);
  detail::require_file(data.test.extent() == expected, folder.string(), "the shape of the test images",
                       data.test.extent(),
                       "of the size of the training images, as " + std::to_string(expected.height) + " x " +
                           std::to_string(expected.width));
  return data;
}

}  // namespace softscore::inline SOFTSCORE_ABI
