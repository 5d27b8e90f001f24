#pragma once

#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// With as many digits as read back as the same number.
inline std::string number_text(double value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

// Writes one object of settings, in the order in which they are added, in the layout of diffusers' own files.
class settings_writer {
 public:
  void add(std::string_view key, std::string_view raw) {
    text_ += text_.empty() ? "{\n  \"" : ",\n  \"";
    ((text_ += key) += "\": ") += raw;
  }
  void add_text(std::string_view key, std::string_view text) { add(key, '"' + std::string{text} + '"'); }
  void add_flag(std::string_view key, bool value) { add(key, value ? "true" : "false"); }
  void add_size(std::string_view key, std::size_t value) { add(key, std::to_string(value)); }
  // A value of 0 is written as null.
  void add_optional(std::string_view key, std::size_t value) { value == 0 ? add(key, "null") : add_size(key, value); }
  void add_number(std::string_view key, double value) { add(key, number_text(value)); }
  template <class Each>
  void add_list(std::string_view key, std::size_t count, const Each& each) {
    std::string list = "[";
    for (std::size_t k = 0; k < count; ++k) (list += k > 0 ? ",\n    " : "\n    ") += each(k);
    add(key, list + "\n  ]");
  }
  std::string done() const { return text_ + "\n}\n"; }

 private:
  std::string text_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
