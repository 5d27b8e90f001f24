#include "files.hpp"

#include <system_error>

#include <softscore/io/atomic_file.hpp>

namespace digits {

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

}  // namespace digits
