#include <softscore/core/error.hpp>

#include "catch.hpp"

TEST_CASE("require passes what holds and names argument, value and rule of what does not") {
  CHECK_NOTHROW(softscore::require(true, "steps", 5, "at least 1"));
  CHECK_THROWS_WITH(softscore::require(false, "steps", -3, "at least 1"), "steps is -3, but it must be at least 1");
  CHECK_THROWS_AS(softscore::reject("images", "none.png", "a readable file"), softscore::error);
}
