#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/tabulated.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/json.hpp>
#include <softscore/io/parse_double.hpp>
#include <softscore/io/read_file.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A schedule and what is known about it, as named texts: the operator it is for, how it was found.
struct schedule_file {
  tabulated schedule;
  std::map<std::string, std::string> about{};
};

namespace detail {

// Appends a double as our files spell it: with as many digits as read back as the same bits, and never as an integer.
inline void append_number(std::string& to, double number) {
  const double size = std::abs(number);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e15);
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific)
                       .ptr;
  to.append(digits, end);
  if (plain && std::find(digits, end, '.') == end) to += ".0";
}

// Reads a schedule's JSON event by event, so that no repeated entry goes unnoticed and nothing is stored for unknown
// entries. The functions with capitals are RapidJSON's events.
template <class Encoding>
class schedule_reader : public json_handler {
 public:
  explicit schedule_reader(const std::string& name) : name_{name} {}

  schedule_file read(std::string_view text) {
    const std::string fault = json_fault<Encoding>(text, *this);
    need(fault.empty(), "the text", fault, "a JSON object");
    if (!has_format_) wrong_format();
    if (!has_points_) wrong_points();
    try {
      return {tabulated{std::move(points_)}, std::move(about_)};
    } catch (const error& refused) {
      throw error(name_ + ": " + refused.what());
    }
  }

  bool StartObject() {
    if (place_ == place::unknown) return ++depth_ > 0;
    if (place_ == place::outside) return go(place::top);
    if (place_ == place::about_start) return go(place::about);
    return misplaced();
  }
  bool EndObject(unsigned) { return place_ == place::unknown ? leave() : go(place::top); }
  bool Key(const char* data, unsigned size, bool) {
    if (place_ == place::unknown) return true;
    key_.assign(data, size);
    if (place_ == place::about) {
      need(!about_.contains(key_), "the text " + printable(key_, 80) + " of \"about\"", "there twice", "there once");
      return go(place::text);
    }
    if (key_ == "format") return go(place::format, has_format_);
    if (key_ == "points") return go(place::points, has_points_);
    if (key_ == "about") return go(place::about_start, has_about_);
    return go(place::unknown);
  }
  bool String(const char* data, unsigned size, bool) {
    const std::string_view text{data, size};
    if (place_ == place::format && text == "softscore schedule 1") return go(place::top);
    if (place_ != place::text) return scalar();
    about_.emplace(key_, text);
    return go(place::about);
  }
  bool StartArray() {
    if (place_ == place::unknown) return ++depth_ > 0;
    if (place_ == place::points) return go(place::list);
    if (place_ != place::list) return misplaced();
    count_ = 0;
    return go(place::point);
  }
  bool EndArray(unsigned) {
    if (place_ == place::unknown) return leave();
    if (place_ == place::list) return go(place::top);
    if (count_ != 3) wrong_point();
    points_.push_back({row_[0], row_[1], row_[2]});
    return go(place::list);
  }
  bool RawNumber(const char* data, unsigned size, bool) {
    if (place_ != place::point) return scalar();
    if (count_ == 3) wrong_point();
    const auto number = parse_double({data, size});
    const bool fits = number && std::isfinite(*number);
    if (fits) row_[count_++] = *number;
    need(fits, "a number of a point", printable({data, size}, 80), "one that fits in double precision");
    return true;
  }
  bool Bool(bool) { return scalar(); }
  bool Null() { return scalar(); }

 private:
  enum class place { outside, top, format, points, list, point, about_start, about, text, unknown };

  bool go(place to) {
    place_ = to;
    return true;
  }
  bool go(place to, bool& before) {
    need(!before, "the entry \"" + key_ + "\"", "there twice", "there once");
    before = true;
    return go(to);
  }
  // The end of a value, or of part of a value, of an unknown entry.
  bool leave() {
    if (--depth_ == 0) place_ = place::top;
    return true;
  }
  bool scalar() {
    if (place_ != place::unknown) return misplaced();
    return depth_ > 0 || go(place::top);
  }
  bool misplaced() const {
    switch (place_) {
      case place::format:
        wrong_format();
      case place::points:
        wrong_points();
      case place::list:
      case place::point:
        wrong_point();
      case place::about_start:
        need(false, "the entry \"about\"", "no object", "an object of texts");
        break;
      case place::text:
        need(false, "an entry of \"about\"", "no text", "a text");
        break;
      default:
        need(false, "the text", "not that", "a JSON object");
    }
    return false;
  }
  [[noreturn]] void wrong_format() const {
    reject(name_ + ": the entry \"format\"", "something else", "\"softscore schedule 1\"");
  }
  [[noreturn]] void wrong_points() const {
    reject(name_ + ": the entry \"points\"", "missing or no list", "a list of [time, level, sigma]");
  }
  [[noreturn]] void wrong_point() const {
    reject(name_ + ": a point", "something else", "[time, level, sigma], three numbers");
  }
  void need(bool holds, std::string_view what, std::string_view found, std::string_view rule) const {
    if (!holds) reject(name_ + ": " + std::string{what}, found, rule);
  }

  const std::string& name_;
  place place_{place::outside};
  std::size_t depth_{}, count_{};
  bool has_format_{}, has_points_{}, has_about_{};
  std::string key_;
  double row_[3]{};
  std::vector<schedule_point> points_;
  std::map<std::string, std::string> about_;
};

}  // namespace detail

/// Returns a schedule as JSON: {"format": "softscore schedule 1", "about": {...}, "points": [[t, level, sigma], ...]},
/// with as many digits as read back as the same numbers. Throws `error` if a text about it is not UTF-8. (These are
/// templates so that only their users compile JSON.)
template <class Encoding = detail::json_encoding>
std::string schedule_text(const schedule_file& file) {
  std::string text = "{\n  \"format\": \"softscore schedule 1\",\n  \"about\": {";
  const auto add = [&](const std::string& words) {
    if (!detail::append_json<Encoding>(text, words))
      reject("a text about the schedule", detail::printable(words, 80), "UTF-8");
  };
  for (const auto& [key, value] : file.about) {
    text += text.back() == '{' ? "\n    " : ",\n    ";
    add(key);
    text += ": ";
    add(value);
  }
  text += file.about.empty() ? "},\n  \"points\": [" : "\n  },\n  \"points\": [";
  // One point per line.
  for (const schedule_point& point : file.schedule.points()) {
    text += text.back() == '[' ? "\n    [" : ",\n    [";
    detail::append_number(text, point.time);
    text += ',';
    detail::append_number(text, point.level);
    text += ',';
    detail::append_number(text, point.sigma);
    text += ']';
  }
  text += "\n  ]\n}\n";
  return text;
}

/// Reads that text. Throws `error` beginning with `name` if the text is not in this format, an entry comes twice, or
/// its points do not make a schedule. Unknown entries are skipped.
template <class Encoding = detail::json_encoding>
schedule_file parse_schedule(std::string_view text, const std::string& name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // the byte order mark that some editors write
  return detail::schedule_reader<Encoding>{name}.read(text);
}

/// Writes a schedule to a file. The file appears complete or not at all.
template <class Encoding = detail::json_encoding>
void write_schedule(const std::filesystem::path& path, const schedule_file& file) {
  write_file(path, schedule_text<Encoding>(file));
}

/// Reads a schedule from a file. Throws `error` naming the file if it cannot be read, is not in this format, or holds
/// no schedule.
template <class Encoding = detail::json_encoding>
schedule_file read_schedule(const std::filesystem::path& path) {
  const auto bytes = read_file(path, std::size_t{1} << 24);
  return parse_schedule<Encoding>({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                  detail::printable(path.string()));
}

}  // namespace softscore::inline SOFTSCORE_ABI
