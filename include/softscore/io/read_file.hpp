#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Returns the bytes of a regular file of at most `limit` bytes. Throws `error` with the system's reason if it cannot
/// be read, if it is not a regular file, if it is too long, and if its length changes meanwhile.
template <class = when_called>
std::vector<std::uint8_t> read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 32) {
  const std::string name = path.string();
  struct descriptor {
    int number;
    ~descriptor() {
      if (number >= 0) ::close(number);
    }
  };
  // O_NONBLOCK: a pipe without a writer must not block us before we see that it is a pipe.
  const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0) detail::file_failure(name, "be read", errno);
  struct stat about{};
  if (::fstat(file.number, &about) != 0) detail::file_failure(name, "be read", errno);
  if (S_ISDIR(about.st_mode)) detail::file_failure(name, "be read", EISDIR);
  if (!S_ISREG(about.st_mode)) throw error(detail::printable(name) + " cannot be read: it is not a regular file");

  const auto size = static_cast<std::size_t>(about.st_size);
  detail::require_file(size <= limit, name, "the size", size, "at most " + std::to_string(limit) + " bytes");
  std::vector<std::uint8_t> bytes(size);
  std::size_t at = 0;
  while (at < size) {
    const auto got = ::read(file.number, bytes.data() + at, size - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) detail::file_failure(name, "be read", errno);
    detail::require_file(got != 0, name, "the file", "shrinking while it is read", "left alone");
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace softscore::inline SOFTSCORE_ABI
