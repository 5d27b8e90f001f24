#include <softscore/core/error.hpp>

#include "catch.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>

#include <softscore/core/shape.hpp>
#include <softscore/core/time_grid.hpp>

#include "foreign_locale.hpp"
#include "refusal.hpp"

TEST_CASE("require passes what holds and names argument, value and rule of what does not") {
  CHECK_NOTHROW(softscore::require(true, "steps", 5, "at least 1"));
  CHECK_THROWS_WITH(softscore::require(false, "steps", -3, "at least 1"), "steps is -3, but it must be at least 1");
  CHECK_THROWS_AS(softscore::reject("images", "none.png", "a readable file"), softscore::error);
}

TEST_CASE("a number in a message has the digits that tell it from its rule") {
  using softscore::reject;
  CHECK_THROWS_WITH(reject("x", 1.0 + std::numeric_limits<double>::epsilon(), "1"),
                    "x is 1.0000000000000002, but it must be 1");
  CHECK_THROWS_WITH(reject("x", 1.0f - 0x1p-24f, "1"), "x is 0.99999994, but it must be 1");
  CHECK_THROWS_WITH(reject("x", 0.9999999, "1"), "x is 0.9999999, but it must be 1");
  CHECK_REFUSED((softscore::time_grid{{1.0000000000000002, 0}}), "time in the grid is 1.0000000000000002, but");
  // Numbers of few digits look as a stream prints them.
  for (const double x : {0.0, -0.5, 1e-5, 1e-4, 0.002, 100000.0, 123456.0, 1e6, 2e7, 1e300}) {
    std::ostringstream printed;
    printed << x;
    CHECK(softscore::detail::shown(x) == printed.str());
  }
  CHECK(softscore::detail::shown(0.1f) == "0.1");
  CHECK(softscore::detail::shown(std::uint8_t{65}) == "65");
  CHECK(softscore::detail::shown(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  CHECK(softscore::detail::fixed(1234.56789, 3) == "1234.568");
  CHECK(softscore::detail::fixed(std::numeric_limits<double>::max(), 1).size() == 309 + 2);
  CHECK(softscore::detail::rounded(1234.56789, 3) == "1.23e+03");
  CHECK(softscore::detail::counted(1, "channel") == "1 channel");
  CHECK(softscore::detail::counted(2, "channel") == "2 channels");
}

TEST_CASE("the program's locale changes no message") {
  using softscore::reject;
  const foreign_locale german;
  std::ostringstream printed;
  printed << 12345.5;
  REQUIRE(printed.str() == "12.345,5");
  CHECK_THROWS_WITH(reject("x", 12345.5, "1"), "x is 12345.5, but it must be 1");
  CHECK_THROWS_WITH(reject("steps", std::size_t{1234567}, "1"), "steps is 1234567, but it must be 1");
  CHECK_THROWS_WITH(reject("shape", softscore::shape{10000, 1, 2048, 2048}, "smaller"),
                    "shape is 10000 x 1 x 2048 x 2048, but it must be smaller");
  CHECK(softscore::detail::fixed(1234.5, 1) == "1234.5");
  CHECK(softscore::detail::rounded(1234.5, 5) == "1234.5");
}
