#include "report.hpp"

#include <softscore/io/base64.hpp>
#include <softscore/io/png.hpp>

#include "report_style.hpp"

namespace common {
namespace {

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string figure_html(const picture& p, std::string_view caption) {
  const softscore::shape s = softscore::extent_of(p.grid);
  std::string html = "<figure><img src=\"" + softscore::data_uri("image/png", softscore::encode_png(p.grid)) +
                     "\" width=\"" + std::to_string(s.width) + "\" height=\"" + std::to_string(s.height) +
                     "\" style=\"height:auto\" alt=\"" + escaped(caption) + "\">";
  if (!p.under.empty()) {
    html += "<div class=\"under\">";
    for (const auto& label : p.under) html += "<span>" + escaped(label) + "</span>";
    html += "</div>";
  }
  return html + "<figcaption>" + escaped(caption) + "</figcaption></figure>\n";
}

}  // namespace

report::report(std::string title, std::string lead) : title_{escaped(title)}, lead_{escaped(lead)} {}

void report::figure(std::string_view name, std::string_view value) {
  figures_ += "<div><dt>" + escaped(name) + "</dt><dd>" + escaped(value) + "</dd></div>\n";
}

void report::section(std::string_view title, std::string_view text) {
  body_ += "<h2>" + escaped(title) + "</h2>\n<p>" + escaped(text) + "</p>\n";
}

void report::add(std::string_view html) { body_ += std::string{html} + "\n"; }

void report::note(std::string_view text) { body_ += "<p class=\"note\">" + escaped(text) + "</p>\n"; }

void report::add_picture(const picture& p, std::string_view caption) { body_ += figure_html(p, caption); }

void report::add_pair(const picture& a, std::string_view about_a, const picture& b, std::string_view about_b) {
  body_ += "<div class=\"pair\">" + figure_html(a, about_a) + figure_html(b, about_b) + "</div>\n";
}

void report::table(const std::vector<std::pair<std::string, std::string>>& rows) {
  body_ += "<table>\n";
  for (const auto& [name, value] : rows)
    body_ += "<tr><td>" + escaped(name) + "</td><td>" + escaped(value) + "</td></tr>\n";
  body_ += "</table>\n";
}

std::string report::html() const {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         title_ + "</title>\n<style>" + std::string{report_style} + "</style>\n</head>\n<body>\n<main>\n<h1>" + title_ +
         "</h1>\n<p class=\"lead\">" + lead_ + "</p>\n<dl class=\"figures\">\n" + figures_ + "</dl>\n" + body_ +
         "</main>\n</body>\n</html>\n";
}

}  // namespace common
