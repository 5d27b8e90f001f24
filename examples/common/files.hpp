#pragma once

#include <filesystem>

namespace common {

/// Makes a folder and those above it. Throws `error` naming it if that is not possible.
void make_folder(const std::filesystem::path& folder);

/// Throws `error` now if a file of that name could not be written, rather than after the work is done. Makes its
/// folder.
void require_writable(const std::filesystem::path& file);

/// Holds a folder for one run: while it lives, no other process can have one of the same folder. A killed process holds
/// nothing. Makes the folder; throws `error` naming it if that is not possible or another run holds it.
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
