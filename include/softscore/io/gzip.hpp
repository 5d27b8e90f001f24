#pragma once

#if !__has_include(<zlib.h>)
#error "softscore/io/gzip.hpp needs zlib: link softscore::io (find_package(softscore COMPONENTS io))"
#endif
#include <zlib.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/read_file.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// zlib's state while a gzip file is unpacked.
struct gzip_stream : z_stream {
  gzip_stream() : z_stream{} {
    if (inflateInit2(this, MAX_WBITS + 16) != Z_OK) throw error("zlib cannot start: out of memory");
  }
  gzip_stream(const gzip_stream&) = delete;
  gzip_stream& operator=(const gzip_stream&) = delete;
  ~gzip_stream() { inflateEnd(this); }
};

}  // namespace detail

/// Returns true if the bytes begin like a gzip file.
inline bool is_gzip(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

/// Returns the content of a gzip file (RFC 1952; several consecutive members are one content), at most `limit` bytes.
/// Memory grows with the actual content, never with what a header claims. Throws `error` naming `path` if the stream is
/// damaged, cut short, followed by other bytes, or longer than `limit`.
template <class = when_called>
std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> bytes, const std::string& path,
                                 std::size_t limit = std::size_t{1} << 32) {
  detail::gzip_stream stream;

  std::vector<std::uint8_t> content;
  std::vector<std::uint8_t> piece(std::size_t{1} << 18);
  std::size_t at = 0;
  int state = Z_OK;
  do {
    if (state == Z_STREAM_END) {  // another member follows
      detail::require_file(is_gzip(bytes.subspan(at)), path, "the gzip stream", "followed by other bytes",
                           "the whole file");
      inflateReset(&stream);
    }
    do {
      const auto fed = std::min<std::size_t>(bytes.size() - at, (std::numeric_limits<uInt>::max)());
      stream.next_in = const_cast<Bytef*>(bytes.data() + at);  // zlib does not write there
      stream.avail_in = static_cast<uInt>(fed);
      stream.next_out = piece.data();
      stream.avail_out = static_cast<uInt>(piece.size());
      state = inflate(&stream, Z_NO_FLUSH);
      at += fed - stream.avail_in;
      const std::size_t made = piece.size() - stream.avail_out;
      detail::require_file(state != Z_BUF_ERROR, path, "the gzip stream", "cut short", "complete");
      detail::require_file(state == Z_OK || state == Z_STREAM_END, path, "the gzip stream", "damaged",
                           "intact, with a matching checksum");
      detail::require_file(made <= limit - content.size(), path, "the unpacked size", "over the limit",
                           "at most " + std::to_string(limit) + " bytes");
      content.resize(content.size() + made);
      std::copy_n(piece.data(), made, content.data() + content.size() - made);
    } while (state != Z_STREAM_END);
  } while (at < bytes.size());
  return content;
}

/// Stores the first bytes of a gzip file's content, at most as many as `head` holds, from as many members as that
/// takes. Returns the part of `head` that was filled. A damaged stream gives what comes before the damage; `gunzip`
/// reports it.
inline std::span<const std::uint8_t> gunzip_head(std::span<const std::uint8_t> bytes, std::span<std::uint8_t> head) {
  detail::gzip_stream stream;
  stream.next_in = const_cast<Bytef*>(bytes.data());  // zlib does not write there
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(bytes.size(), (std::numeric_limits<uInt>::max)()));
  stream.next_out = head.data();
  stream.avail_out = static_cast<uInt>(head.size());
  while (inflate(&stream, Z_SYNC_FLUSH) == Z_STREAM_END && stream.avail_out > 0 && stream.avail_in > 0)
    inflateReset(&stream);
  return {head.data(), head.size() - stream.avail_out};
}

/// Reads a whole file, and unpacks it if its first bytes are those of gzip: at most `limit` bytes. Throws as
/// `read_file` and `gunzip` do.
template <class = when_called>
std::vector<std::uint8_t> read_plain_or_gzip(const std::filesystem::path& path,
                                             std::size_t limit = std::size_t{1} << 32) {
  auto bytes = read_file(path, limit);
  return is_gzip({bytes.data(), bytes.size()}) ? gunzip({bytes.data(), bytes.size()}, path.string(), limit) : bytes;
}

/// The same for a format whose header states the size: a packed file is unpacked to at most `size(head)` bytes, where
/// `head` is the first 64 bytes of its content, or all if there are fewer. So a small file cannot unpack to a large one
/// that is refused only afterwards.
template <std::invocable<std::span<const std::uint8_t>> Size>
std::vector<std::uint8_t> read_plain_or_gzip(const std::filesystem::path& path, Size size) {
  auto bytes = read_file(path, std::size_t{1} << 32);
  if (!is_gzip({bytes.data(), bytes.size()})) return bytes;
  std::array<std::uint8_t, 64> head;
  const std::size_t limit = size(gunzip_head({bytes.data(), bytes.size()}, head));
  return gunzip({bytes.data(), bytes.size()}, path.string(), limit);
}

}  // namespace softscore::inline SOFTSCORE_ABI
