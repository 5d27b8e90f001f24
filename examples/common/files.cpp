#include "files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <softscore/core/error.hpp>
#include <softscore/io/atomic_file.hpp>

namespace common {

void make_folder(const std::filesystem::path& folder) {
  if (folder.empty()) return;
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (!failed && !std::filesystem::is_directory(folder, failed))
    failed = std::make_error_code(std::errc::not_a_directory);
  if (failed) softscore::detail::file_failure(folder.string(), "be used as a folder", failed.value());
}

void require_writable(const std::filesystem::path& file) {
  make_folder(file.parent_path());
  const softscore::atomic_file probe{file};  // never committed
}

held_folder::held_folder(const std::filesystem::path& folder) {
  make_folder(folder);
  folder_ = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // A file system without locks, or a folder that cannot be read, does not prevent working in it.
  if (folder_ < 0 || ::flock(folder_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(folder_);
  softscore::reject("--out", folder.string(), "a folder that no other run is at work in");
}

held_folder::~held_folder() {
  if (folder_ >= 0) ::close(folder_);
}

}  // namespace common
