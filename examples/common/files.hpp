#pragma once

#include <filesystem>

namespace common {

/// Creates a folder and its parents. Throws `error` naming it if that is not possible.
void make_folder(const std::filesystem::path& folder);

/// Throws `error` now, rather than after the work is done, if a file of that name could not be written. Creates its
/// folder.
void require_writable(const std::filesystem::path& file);

/// Holds a folder for one run: while it exists, no other process can hold the same folder. A killed process holds
/// nothing. Creates the folder; throws `error` naming it if that is not possible or another run holds it.
class held_folder {
 public:
  explicit held_folder(const std::filesystem::path& folder);
  ~held_folder();
  held_folder(const held_folder&) = delete;
  held_folder& operator=(const held_folder&) = delete;

 private:
  int folder_{-1};
};

}  // namespace common
