#pragma once

#include <filesystem>

namespace digits {

/// Makes a folder and those above it. Throws `error` naming it if that is not possible.
void make_folder(const std::filesystem::path& folder);

/// Throws `error` now if a file of that name could not be written, rather than after the work is done. Makes its
/// folder.
void require_writable(const std::filesystem::path& file);

}  // namespace digits
