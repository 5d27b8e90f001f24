#pragma once

#if !__has_include(<png.h>)
#error "softscore/io/png.hpp needs libpng: link softscore::io (find_package(softscore COMPONENTS io))"
#endif
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
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

/// A number in [0, 1] as a byte, rounded to the nearest; numbers outside are clipped, and NaN becomes 0.
inline std::uint8_t to_byte(float value) {
  if (!(value > 0.0f)) return 0;
  return value >= 1.0f ? std::uint8_t{255} : static_cast<std::uint8_t>(value * 255.0f + 0.5f);
}

}  // namespace detail

/// Returns the PNG file of one image: 8 bits, gray for one channel and RGB for three. Pixels are clipped to [0, 1].
/// Throws `error` if there is not exactly one image, or if it has neither one nor three channels.
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

/// Writes one image, gray or RGB, to a PNG file that appears complete or not at all.
template <class = when_called>
void write_png(const std::filesystem::path& path, view<const float, host_space> image) {
  const auto file = encode_png(image);
  write_file(path, std::as_bytes(std::span<const std::uint8_t>{file.data(), file.size()}));
}
template <class = when_called>
void write_png(const std::filesystem::path& path, const image_batch& image) {
  write_png(path, as_view(image));
}

namespace detail {

// Decodes a file in memory with libpng. It reports errors by longjmp, so the two functions whose calls may jump,
// `begin` and `finish`, have no objects to destroy.
class png_decoder {
 public:
  explicit png_decoder(std::span<const std::uint8_t> bytes)
      : rest_{bytes}, png_{png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning)} {
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ != nullptr) return;
    png_destroy_read_struct(&png_, nullptr, nullptr);
    throw error("libpng cannot start: out of memory, or of another version than its headers");
  }
  png_decoder(const png_decoder&) = delete;
  png_decoder& operator=(const png_decoder&) = delete;
  ~png_decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }

  /// Reads up to the pixels, which `finish` converts to samples of 8 bits as they are stored; false if it fails.
  bool begin() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, on_read);
    png_set_crc_action(png_, PNG_CRC_DEFAULT, PNG_CRC_ERROR_QUIT);  // otherwise a damaged tRNS would be omitted
    // Of the optional chunks only tRNS is read: no profile or text is unpacked.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png_, info_);
    png_set_expand(png_);
    png_set_scale_16(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }
  /// Reads the pixels into rows of `width` x `channels` bytes, and the rest up to the file's end; false if it fails.
  bool finish(png_bytepp rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_image(png_, rows);
    png_set_crc_action(png_, PNG_CRC_DEFAULT, PNG_CRC_WARN_DISCARD);  // what follows does not change pixels
    png_read_end(png_, nullptr);
    return true;
  }

  std::size_t width() const { return png_get_image_width(png_, info_); }
  std::size_t height() const { return png_get_image_height(png_, info_); }
  std::size_t channels() const { return png_get_channels(png_, info_); }
  /// Why `begin` or `finish` failed.
  std::string reason() const { return printable(reason_); }

 private:
  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto& self = *static_cast<png_decoder*>(png_get_error_ptr(png));
    std::snprintf(self.reason_, sizeof self.reason_, "%s", message);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep out, std::size_t count) {
    auto& self = *static_cast<png_decoder*>(png_get_io_ptr(png));
    if (count > self.rest_.size()) png_error(png, "the file is cut short");
    std::copy_n(self.rest_.begin(), count, out);
    self.rest_ = self.rest_.subspan(count);
  }

  std::span<const std::uint8_t> rest_;
  char reason_[160]{};
  png_structp png_;
  png_infop info_{};
};

}  // namespace detail

/// Returns the image in a PNG file's bytes, in [0, 1]: one channel if the file is gray, three if it has color. Samples
/// are used as they are stored, as in Pillow: gamma and color profiles have no effect, 16 bits become 8 by value / 257
/// rounded to the nearest, fewer bits fill the range, and transparent pixels are blended with black in these values
/// (200 at alpha 128 is 100). Bytes after the file's end are ignored. Throws `error` naming `path` if the bytes are not
/// a complete PNG file, or claim more pixels than they could hold.
template <class = when_called>
image_batch decode_png(std::span<const std::uint8_t> bytes, const std::string& path) {
  detail::png_decoder decoder{bytes};
  // The reason exists only after the call, so it cannot be an argument beside it.
  if (!decoder.begin()) {
    detail::require_file(false, path, "the content", "not an image (" + decoder.reason() + ")", "a PNG file");
  }
  const std::size_t width = decoder.width(), height = decoder.height(), channels = decoder.channels();
  // Deflate compresses at most 1032 to 1, and a byte of its output holds at most 8 pixels.
  const std::size_t pixels = width * height;
  detail::require_file(pixels / (std::size_t{8} * 1032) <= bytes.size() && pixels <= std::size_t{1} << 28, path,
                       "the number of pixels", pixels, "one that the file can hold, and below 2^28");
  std::vector<std::uint8_t> samples(pixels * channels);
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = samples.data() + y * width * channels;
  if (!decoder.finish(rows.data())) {
    detail::require_file(false, path, "the image data", "damaged (" + decoder.reason() + ")", "intact and complete");
  }

  const bool alpha = channels % 2 == 0;
  auto image = make_tensor({1, channels - (alpha ? 1 : 0), height, width});
  const shape s = extent_of(image);
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint8_t* const from = samples.data() + i * channels;
    for (std::size_t c = 0; c < s.channels; ++c) {
      const unsigned value = alpha ? (from[c] * unsigned{from[s.channels]} + 127u) / 255u : from[c];
      image.data()[c * pixels + i] = static_cast<float>(value) / 255.0f;
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
