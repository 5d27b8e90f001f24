#pragma once

#include <locale>
#include <string>

/// While one lives the program's locale writes 1234.5 as "1.234,5", as a German one does.
class foreign_locale {
 public:
  foreign_locale() : before_{std::locale::global(std::locale{std::locale::classic(), new facet})} {}
  foreign_locale(const foreign_locale&) = delete;
  foreign_locale& operator=(const foreign_locale&) = delete;
  ~foreign_locale() { std::locale::global(before_); }

 private:
  struct facet : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  std::locale before_;
};
