#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

/// The hidden file, in the same folder, to which a file is written before it gets its name: `.<name>.partial`, or a
/// hash of the name if that is longer than `longest`, the most bytes that the file system allows in a name.
template <class = when_called>
std::string partial_name(const std::string& name, std::size_t longest) {
  constexpr std::string_view ending = ".partial";
  if (1 + name.size() + ending.size() <= longest) return "." + name + std::string{ending};
  std::uint64_t hash = 0xCBF29CE484222325u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  std::string text = ".";
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[(hash >> shift) & 15u];
  return text + std::string{ending};
}

}  // namespace detail

/// A file that appears complete or not at all. It is written to a hidden file beside it, `.<name>.partial`; `commit`
/// syncs that, renames it and syncs the folder. Without `commit` the hidden file is removed, and an older file of that
/// name stays unchanged. A link is followed; a device or a pipe is written directly. Throws `error` with the system's
/// reason if anything fails, and if another writer has the same file open. A file system without `flock` cannot detect
/// other writers: there each writer has its own hidden file, and the last to commit wins.
class atomic_file {
 public:
  template <class = when_called>
  explicit atomic_file(const std::filesystem::path& path) : shown_{path.string()} {
    struct stat old{};
    const bool there = ::stat(path.c_str(), &old) == 0;
    if (!there && errno == ENAMETOOLONG) fail(errno);  // the hidden file's name may be shorter
    if (there && S_ISDIR(old.st_mode)) fail(EISDIR);
    direct_ = there && !S_ISREG(old.st_mode);
    if (direct_) {
      file_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (file_ < 0) fail(errno);
      return;
    }
    target_ = followed(path);
    const auto folder = target_.parent_path();
    const long longest = ::pathconf(folder.empty() ? "." : folder.c_str(), _PC_NAME_MAX);
    partial_ = folder / detail::partial_name(target_.filename().string(),
                                             longest > 0 ? static_cast<std::size_t>(longest) : std::size_t{255});
    open_partial();
  }

  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;

  ~atomic_file() {
    if (file_ < 0) return;
    // Removed before it is closed: while the lock is held, no other writer can have taken over the name.
    if (!direct_) ::unlink(partial_.c_str());
    ::close(file_);
  }

  /// Appends bytes.
  template <class = when_called>
  void write(std::span<const std::byte> bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
      const auto written = ::write(file_, bytes.data() + at, bytes.size() - at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(errno);
      at += static_cast<std::size_t>(written);
    }
  }
  template <class = when_called>
  void write(std::string_view text) {
    write(std::as_bytes(std::span{text.data(), text.size()}));
  }

  /// Makes the file appear under its name. Nothing can be written after that.
  template <class = when_called>
  void commit() {
    if (::fsync(file_) != 0 && !(direct_ && (errno == EINVAL || errno == EROFS))) fail(errno);
    if (!direct_) {
      if (::rename(partial_.c_str(), target_.c_str()) != 0) fail(errno);
    }
    const int done = std::exchange(file_, -1);
    ::close(done);
    if (!direct_) sync_folder();
  }

 private:
  // Follows links even if their target does not exist yet. Linux follows forty links, and then assumes a loop.
  template <class = when_called>
  static std::filesystem::path followed(std::filesystem::path path) {
    std::error_code ignored;
    for (int links = 0; links < 40 && std::filesystem::is_symlink(path, ignored); ++links)
      path = path.parent_path() / std::filesystem::read_symlink(path, ignored);  // an absolute one replaces the folder
    return path;
  }

  [[noreturn]] void fail(int reason) const { detail::file_failure(shown_, "be written", reason); }

  // The lock separates two writers and ends with its process, so the remains of a killed process are simply taken over.
  template <class = when_called>
  void open_partial() {
    for (;;) {
      const int file = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
      if (file < 0) fail(errno);
      const int refused = locked(file);
      if (unsupported(refused)) {
        discard_if_empty(file);
        file_ = open_unlocked();
        return prepare();
      }
      if (refused != 0) {
        ::close(file);
        if (refused != EWOULDBLOCK) fail(refused);
        throw error(detail::printable(shown_) + " cannot be written: another writer is at work on it");
      }
      struct stat ours{}, named{};
      const bool same = ::fstat(file, &ours) == 0 && ::stat(partial_.c_str(), &named) == 0 &&
                        ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
      if (!same) {  // the writer before us finished between our open and our lock
        ::close(file);
        continue;
      }
      file_ = file;
      return prepare();
    }
  }

  // The errors by which file systems say that they have no locks, or cannot sync a folder.
  static bool unsupported(int reason) {
    return reason == ENOSYS || reason == ENOTSUP || reason == EINVAL || reason == ENOLCK;
  }

  // Takes the lock. Returns 0, or the reason why there is none.
  static int locked(int file) {
    while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EINTR) return errno;
    }
    return 0;
  }

  // Closes a hidden file that could not be locked. If it holds something, it is a leftover or belongs to another
  // writer.
  template <class = when_called>
  void discard_if_empty(int file) const {
    struct stat about{};
    if (::fstat(file, &about) == 0 && about.st_size == 0) ::unlink(partial_.c_str());
    ::close(file);
  }

  // Without locks only an unused name is safe: the first free one of `.0.<hash>.partial`, `.1.<hash>.partial`...
  template <class = when_called>
  int open_unlocked() {
    const auto folder = partial_.parent_path();
    const std::string ending = detail::partial_name(target_.filename().string(), 0);
    for (int number = 0; number < 1000; ++number) {
      partial_ = folder / (std::string{"."} + std::to_string(number) + ending);
      const int file = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (file >= 0) return file;
      if (errno != EEXIST) fail(errno);
    }
    fail(EEXIST);
  }

  // Empties the open hidden file and gives it the permissions of the file that it will replace.
  template <class = when_called>
  void prepare() {
    struct stat old{};
    const bool keeps_mode = ::stat(target_.c_str(), &old) == 0;
    if (::ftruncate(file_, 0) != 0 || (keeps_mode && ::fchmod(file_, old.st_mode & 07777u) != 0)) {
      const int reason = errno;
      ::unlink(partial_.c_str());
      ::close(std::exchange(file_, -1));
      fail(reason);
    }
  }

  template <class = when_called>
  void sync_folder() const {
    const auto parent = target_.parent_path();
    const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;  // a folder that may be searched but not read; the file itself is safe
    const int result = ::fsync(folder);
    const int reason = errno;
    ::close(folder);
    if (result != 0 && !unsupported(reason)) fail(reason);
  }

  std::string shown_;
  std::filesystem::path target_, partial_;
  int file_{-1};
  bool direct_{};
};

/// Writes a whole file through `atomic_file`.
template <class = when_called>
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  atomic_file file{path};
  file.write(bytes);
  file.commit();
}
template <class = when_called>
void write_file(const std::filesystem::path& path, std::string_view text) {
  write_file(path, std::as_bytes(std::span{text.data(), text.size()}));
}

}  // namespace softscore::inline SOFTSCORE_ABI
