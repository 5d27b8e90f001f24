#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <softscore/core/error.hpp>
#include <softscore/corruption/tabulated.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/read_file.hpp>

namespace softscore {

/// A schedule and what is known of it, as text by name: the operator it is for, how it was found.
struct schedule_file {
  tabulated schedule;
  std::map<std::string, std::string> about{};
};

/// A schedule as JSON: {"format": "softscore schedule 1", "about": {...}, "points": [[t, level, sigma], ...]}, with as
/// many digits as give the same numbers back. (Templates, that only their users compile JSON.)
template <class Json = nlohmann::ordered_json>
std::string schedule_text(const schedule_file& file) {
  Json json;
  json["format"] = "softscore schedule 1";
  json["about"] = file.about;
  std::string text = json.dump(2);
  // One point a line, which a library that indents every number would not do.
  text.erase(text.rfind("\n}"));
  text += ",\n  \"points\": [";
  const auto& points = file.schedule.points();
  for (std::size_t i = 0; i < points.size(); ++i)
    text += (i == 0 ? "\n    " : ",\n    ") + Json::array({points[i].time, points[i].level, points[i].sigma}).dump();
  text += "\n  ]\n}\n";
  return text;
}

/// Reads that text back. Throws `error` beginning with `name` when it is no such text, or its points are no schedule.
template <class Json = nlohmann::json>
schedule_file parse_schedule(std::string_view text, const std::string& name) {
  const auto json = Json::parse(text.begin(), text.end(), nullptr, false);
  const auto need = [&](bool holds, const char* what, const char* found, const char* rule) {
    require(holds, name + ": " + what, found, rule);
  };
  need(!json.is_discarded() && json.is_object(), "the text", "not that", "a JSON object");
  need(json.value("format", Json{}) == "softscore schedule 1", "the entry \"format\"", "something else",
       "\"softscore schedule 1\"");
  const auto points = json.value("points", Json{}), about = json.value("about", Json::object());
  need(points.is_array(), "the entry \"points\"", "missing or no list", "a list of [time, level, sigma]");
  need(about.is_object(), "the entry \"about\"", "no object", "an object of texts");
  std::vector<schedule_point> rows;
  for (const auto& point : points) {
    need(point.is_array() && point.size() == 3 && point[0].is_number() && point[1].is_number() && point[2].is_number(),
         "a point", "something else", "[time, level, sigma], three numbers");
    rows.push_back({point[0].template get<double>(), point[1].template get<double>(), point[2].template get<double>()});
  }
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : about.items()) {
    need(value.is_string(), "an entry of \"about\"", "no text", "a text");
    texts[key] = value.template get<std::string>();
  }
  try {
    return {tabulated{std::move(rows)}, std::move(texts)};
  } catch (const error& refused) {
    throw error(name + ": " + refused.what());
  }
}

/// Writes a schedule to a file, which appears whole or not at all.
template <class Json = nlohmann::ordered_json>
void write_schedule(const std::filesystem::path& path, const schedule_file& file) {
  write_file(path, schedule_text<Json>(file));
}

/// Reads it back. Throws `error` naming the file when it cannot be read, is no such file, or holds no schedule.
template <class Json = nlohmann::json>
schedule_file read_schedule(const std::filesystem::path& path) {
  const auto bytes = read_file(path, std::size_t{1} << 24);
  return parse_schedule<Json>(std::string(bytes.begin(), bytes.end()), detail::printable(path.string()));
}

}  // namespace softscore
