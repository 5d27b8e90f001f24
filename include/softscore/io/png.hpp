#pragma once

#include <png.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/read_file.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

/// A number in [0, 1] as a byte, to the nearest; numbers outside are clipped, and what is no number is 0.
inline std::uint8_t to_byte(float value) {
  if (!(value > 0.0f)) return 0;
  return value >= 1.0f ? std::uint8_t{255} : static_cast<std::uint8_t>(value * 255.0f + 0.5f);
}

}  // namespace detail

/// The PNG file of one image: 8 bits, grey for one channel and RGB for three. Pixels are clipped to [0, 1]. Throws
/// `error` when there is not one image, or its channels are neither one nor three.
template <class = when_called>
std::vector<std::uint8_t> encode_png(view<const float, host_space> image) {
  const shape& s = image.extent();
  require(s.images == 1 && (s.channels == 1 || s.channels == 3) && s.plane() > 0, "the shape of a PNG image", s,
          "one image of one or three channels");
  require(s.height <= 1'000'000 && s.width <= 1'000'000, "the shape of a PNG image", s, "at most 1000000 a side");
  std::vector<std::uint8_t> pixels(s.per_image());
  for (std::size_t i = 0; i < s.plane(); ++i) {
    for (std::size_t c = 0; c < s.channels; ++c) pixels[i * s.channels + c] = detail::to_byte(image[c * s.plane() + i]);
  }
  png_image about{};
  about.version = PNG_IMAGE_VERSION;
  about.width = static_cast<png_uint_32>(s.width);
  about.height = static_cast<png_uint_32>(s.height);
  about.format = s.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = 0;
  // The first call only asks for the size.
  bool done = png_image_write_to_memory(&about, nullptr, &size, 0, pixels.data(), 0, nullptr) != 0;
  std::vector<std::uint8_t> file(size);
  done = done && png_image_write_to_memory(&about, file.data(), &size, 0, pixels.data(), 0, nullptr) != 0;
  if (!done) throw error("the PNG image cannot be encoded: " + detail::printable(about.message));
  file.resize(size);
  return file;
}
template <class = when_called>
std::vector<std::uint8_t> encode_png(const image_batch& image) {
  return encode_png(as_view(image));
}

/// Writes one image, grey or RGB, to a PNG file that appears whole or not at all.
template <class = when_called>
void write_png(const std::filesystem::path& path, view<const float, host_space> image) {
  const auto file = encode_png(image);
  write_file(path, std::as_bytes(std::span<const std::uint8_t>{file.data(), file.size()}));
}
template <class = when_called>
void write_png(const std::filesystem::path& path, const image_batch& image) {
  write_png(path, as_view(image));
}

/// The image in a PNG file's bytes, in [0, 1]: one channel if the file is grey, three if it has colour; a transparent
/// pixel is laid on black. Throws `error` naming `path` when the bytes are no whole PNG file or claim more pixels
/// than they could hold.
template <class = when_called>
image_batch decode_png(std::span<const std::uint8_t> bytes, const std::string& path) {
  static constexpr std::uint8_t end_chunk[12] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};
  struct reader : png_image {
    reader() : png_image{} { version = PNG_IMAGE_VERSION; }
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;
    ~reader() { png_image_free(this); }
  } about;
  detail::require_file(png_image_begin_read_from_memory(&about, bytes.data(), bytes.size()) != 0, path, "the content",
                       "not an image (" + detail::printable(about.message) + ")", "a PNG file");
  detail::require_file(bytes.size() > 12 && std::memcmp(bytes.data() + bytes.size() - 12, end_chunk, 12) == 0, path,
                       "the last chunk", "not IEND", "the end of the PNG file");
  // Deflate packs at most 1032 to 1, and a byte of it holds at most 8 pixels.
  const std::size_t pixels = std::size_t{about.width} * about.height;
  detail::require_file(pixels / (std::size_t{8} * 1032) <= bytes.size() && pixels <= std::size_t{1} << 28, path,
                       "the number of pixels", pixels, "one that the file can hold, and below 2^28");
  const bool colour = (about.format & PNG_FORMAT_FLAG_COLOR) != 0;
  about.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  std::vector<std::uint8_t> decoded(PNG_IMAGE_SIZE(about));
  const png_color black{0, 0, 0};
  detail::require_file(png_image_finish_read(&about, &black, decoded.data(), 0, nullptr) != 0, path, "the image data",
                       "damaged (" + detail::printable(about.message) + ")", "intact and complete");

  auto image = make_tensor({1, colour ? std::size_t{3} : std::size_t{1}, about.height, about.width});
  const shape s = extent_of(image);
  for (std::size_t i = 0; i < s.plane(); ++i) {
    for (std::size_t c = 0; c < s.channels; ++c) {
      image.data()[c * s.plane() + i] = static_cast<float>(decoded[i * s.channels + c]) / 255.0f;
    }
  }
  return image;
}

/// Reads one image from a PNG file, as `decode_png` does.
template <class = when_called>
image_batch read_png(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  return decode_png({bytes.data(), bytes.size()}, path.string());
}

}  // namespace softscore::inline SOFTSCORE_ABI
