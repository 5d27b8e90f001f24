#pragma once

#include <clocale>
#include <locale>
#include <string>

/// While one lives the program's locale writes 1234.5 as "1.234,5", as a German one does: that of streams always, and
/// that of printf and strtod where the machine has a German one.
class foreign_locale {
 public:
  foreign_locale() : before_{std::locale::global(std::locale{std::locale::classic(), new facet})} {
    std::setlocale(LC_NUMERIC, "de_DE.UTF-8");
  }
  foreign_locale(const foreign_locale&) = delete;
  foreign_locale& operator=(const foreign_locale&) = delete;
  ~foreign_locale() {
    std::setlocale(LC_NUMERIC, "C");
    std::locale::global(before_);
  }

 private:
  struct facet : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  std::locale before_;
};
