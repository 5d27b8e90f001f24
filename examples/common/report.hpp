#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pictures.hpp"

namespace common {

/// One self-contained HTML page: no script, no other file, readable on a phone.
class report {
 public:
  /// All arguments are plain text: characters that are special in HTML are escaped here.
  report(std::string title, std::string lead);

  /// A figure at the top: its name and its value.
  void figure(std::string_view name, std::string_view value);
  void section(std::string_view title, std::string_view text);
  /// Adds ready HTML (an SVG) to the section.
  void add(std::string_view html);
  void note(std::string_view text);
  void add_picture(const picture& p, std::string_view caption);
  /// Two pictures side by side if there is room.
  void add_pair(const picture& a, std::string_view about_a, const picture& b, std::string_view about_b);
  void table(const std::vector<std::pair<std::string, std::string>>& rows);

  std::string html() const;

 private:
  std::string title_, lead_, figures_, body_;
};

}  // namespace common
