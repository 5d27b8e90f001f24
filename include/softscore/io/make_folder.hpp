#pragma once

#include <filesystem>
#include <system_error>

#include <softscore/core/config.hpp>
#include <softscore/io/file_error.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

/// Creates a folder and its parents, unless they exist. Throws `error` with the system's reason if it cannot.
template <class = when_called>
void make_folder(const std::filesystem::path& folder) {
  std::error_code reason;
  std::filesystem::create_directories(folder, reason);
  if (reason) file_failure(folder.string(), "be made", reason.value());
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
