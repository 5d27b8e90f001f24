#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/json.hpp>
#include <softscore/io/parse_double.hpp>
#include <softscore/io/read_file.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A value of a JSON file: a scalar or a list of scalars.
struct json_field {
  enum class kind { null, boolean, number, text, list, other };

  kind what{kind::null};
  std::string text{};               ///< the text; a number as spelled; "true" or "false"
  std::vector<json_field> items{};  ///< of a list
};

/// The settings of a JSON file that is one object. A key inside another object is written "outer.inner". All functions
/// throw `error` naming the file and the key.
class json_settings {
 public:
  json_settings(std::string path, std::map<std::string, json_field, std::less<>> fields)
      : path_{std::move(path)}, fields_{std::move(fields)} {}

  const std::string& path() const { return path_; }
  /// The value of a key; null if there is none or it is null.
  const json_field* find(std::string_view key) const {
    const auto found = fields_.find(key);
    return found == fields_.end() || found->second.what == json_field::kind::null ? nullptr : &found->second;
  }
  bool contains(std::string_view key) const { return fields_.contains(key); }
  /// Whether the key is there and its value is null.
  bool is_null(std::string_view key) const { return contains(key) && find(key) == nullptr; }

  /// The value of a key; `otherwise` if there is none or it is null.
  template <class = when_called>
  bool flag(std::string_view key, bool otherwise) const {
    const json_field* field = find(key);
    if (field == nullptr) return otherwise;
    need(field->what == json_field::kind::boolean, key, *field, "true or false");
    return field->text == "true";
  }
  template <class = when_called>
  double number(std::string_view key, double otherwise) const {
    const json_field* field = find(key);
    return field == nullptr ? otherwise : number_in(key, *field);
  }
  template <class = when_called>
  std::size_t size(std::string_view key, std::size_t otherwise) const {
    const json_field* field = find(key);
    return field == nullptr ? otherwise : size_in(key, *field);
  }
  template <class = when_called>
  std::string text(std::string_view key, std::string_view otherwise) const {
    const json_field* field = find(key);
    if (field == nullptr) return std::string{otherwise};
    need(field->what == json_field::kind::text, key, *field, "a text");
    return field->text;
  }
  /// The list of a key; nothing if there is none.
  template <class = when_called>
  std::optional<std::vector<double>> numbers(std::string_view key) const {
    const json_field* field = find(key);
    if (field == nullptr) return std::nullopt;
    need(field->what == json_field::kind::list, key, *field, "a list");
    std::vector<double> all;
    for (const json_field& item : field->items) all.push_back(number_in(key, item));
    return all;
  }
  template <class = when_called>
  std::optional<std::vector<std::size_t>> sizes(std::string_view key) const {
    const json_field* field = find(key);
    if (field == nullptr) return std::nullopt;
    need(field->what == json_field::kind::list, key, *field, "a list");
    std::vector<std::size_t> all;
    for (const json_field& item : field->items) all.push_back(size_in(key, item));
    return all;
  }
  template <class = when_called>
  std::optional<std::vector<std::string>> texts(std::string_view key) const {
    const json_field* field = find(key);
    if (field == nullptr) return std::nullopt;
    need(field->what == json_field::kind::list, key, *field, "a list");
    std::vector<std::string> all;
    for (const json_field& item : field->items) {
      need(item.what == json_field::kind::text, key, item, "a list of texts");
      all.push_back(item.text);
    }
    return all;
  }
  /// Throws `error`: the value of the key does not satisfy `rule`.
  template <class = when_called>
  [[noreturn]] void refuse(std::string_view key, std::string_view rule) const {
    const auto found = fields_.find(key);
    reject(detail::printable(path_) + ": " + detail::printable(key, 80),
           found == fields_.end() ? std::string{"missing"} : shown(found->second), rule);
  }

 private:
  static std::string shown(const json_field& field) {
    switch (field.what) {
      case json_field::kind::null:
        return "null";
      case json_field::kind::text:
        return "\"" + detail::printable(field.text, 80) + "\"";
      case json_field::kind::list:
        return "a list";
      case json_field::kind::other:
        return "an object";
      default:
        return detail::printable(field.text, 80);
    }
  }
  void need(bool holds, std::string_view key, const json_field& field, std::string_view rule) const {
    if (!holds) reject(detail::printable(path_) + ": " + detail::printable(key, 80), shown(field), rule);
  }
  double number_in(std::string_view key, const json_field& field) const {
    need(field.what == json_field::kind::number, key, field, "a number");
    const auto number = detail::parse_double(field.text);
    need(number && std::isfinite(*number), key, field, "a number that fits in double precision");
    return *number;
  }
  std::size_t size_in(std::string_view key, const json_field& field) const {
    const double number = number_in(key, field);
    need(number >= 0 && number <= 0x1p53 && number == std::floor(number), key, field, "a whole number of at least 0");
    return static_cast<std::size_t>(number);
  }

  std::string path_;
  std::map<std::string, json_field, std::less<>> fields_;
};

namespace detail {

// Reads an object event by event, so that no repeated key goes unnoticed. Lists inside lists and objects inside lists
// are skipped. The functions with capitals are RapidJSON's events.
template <class Encoding>
class json_fields_reader : public json_handler {
 public:
  explicit json_fields_reader(const std::string& path) : path_{path} {}

  std::map<std::string, json_field, std::less<>> read(std::string_view text) {
    const std::string fault = json_fault<Encoding>(text, *this);
    require_file(fault.empty(), path_, "the text", fault, "a JSON object");
    require_file(started_, path_, "the text", "another value", "a JSON object");
    return std::move(fields_);
  }

  bool StartObject() {
    if (skipping_ > 0 || list_ != nullptr) return skip();
    if (!started_) {
      started_ = true;
      outer_.emplace_back();
      return true;
    }
    if (outer_.empty()) return false;
    put({json_field::kind::other, {}, {}});
    outer_.push_back(key_ + ".");
    return true;
  }
  bool EndObject(unsigned) {
    if (skipping_ > 0) return unskip();
    outer_.pop_back();
    return true;
  }
  bool Key(const char* data, unsigned size, bool) {
    if (skipping_ == 0) key_ = outer_.back() + std::string{data, size};
    return true;
  }
  bool StartArray() {
    if (skipping_ > 0 || list_ != nullptr) return skip();
    if (outer_.empty()) return true;  // a text that is a list; `read` reports that it is not an object
    list_ = &put({json_field::kind::list, {}, {}});
    return true;
  }
  bool EndArray(unsigned) {
    if (skipping_ > 0) return unskip();
    list_ = nullptr;
    return true;
  }
  bool String(const char* data, unsigned size, bool) { return scalar(json_field::kind::text, {data, size}); }
  bool RawNumber(const char* data, unsigned size, bool) { return scalar(json_field::kind::number, {data, size}); }
  bool Bool(bool value) { return scalar(json_field::kind::boolean, value ? "true" : "false"); }
  bool Null() { return scalar(json_field::kind::null, {}); }

 private:
  bool skip() {
    if (skipping_++ == 0) list_->items.push_back({json_field::kind::other, {}, {}});
    return true;
  }
  bool unskip() {
    --skipping_;
    return true;
  }
  bool scalar(json_field::kind what, std::string text) {
    if (skipping_ > 0 || outer_.empty()) return true;
    json_field field{what, std::move(text), {}};
    if (list_ != nullptr)
      list_->items.push_back(std::move(field));
    else
      put(std::move(field));
    return true;
  }
  json_field& put(json_field field) {
    const auto [at, is_new] = fields_.emplace(key_, std::move(field));
    require_file(is_new, path_, "the key " + printable(key_, 80), "there twice", "there once");
    return at->second;
  }

  const std::string& path_;
  std::map<std::string, json_field, std::less<>> fields_;
  std::vector<std::string> outer_;  // the prefix of the keys of each open object
  std::string key_;
  json_field* list_{};
  std::size_t skipping_{};
  bool started_{};
};

}  // namespace detail

/// Reads the settings in a text that is one JSON object; errors name `path`. Throws `error` for other text and for a
/// repeated key.
template <class Encoding = detail::json_encoding>
json_settings parse_json_settings(std::string_view text, std::string path) {
  auto fields = detail::json_fields_reader<Encoding>{path}.read(text);
  return {std::move(path), std::move(fields)};
}

/// Reads a JSON file of at most 16 MB that is one object. Throws `error` for other text and for a repeated key.
template <class Encoding = detail::json_encoding>
json_settings read_json_settings(const std::filesystem::path& path) {
  constexpr std::size_t most = std::size_t{1} << 24;
  const auto bytes = read_file(path, most);
  return parse_json_settings<Encoding>({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
}

}  // namespace softscore::inline SOFTSCORE_ABI
