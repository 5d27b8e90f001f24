#include <softscore/core/time_grid.hpp>

#include "catch.hpp"

#include <limits>
#include <vector>

#include "refusal.hpp"

using namespace softscore;

TEST_CASE("a grid owns the pairs of times", "[core]") {
  const time_grid grid{{1.0, 0.7, 0.1, 0.0}};
  REQUIRE(grid.steps() == 3);
  CHECK(grid.start() == diffusion_time{1.0});
  CHECK(grid.end() == diffusion_time{0.0});
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(grid[i].index == i);
    CHECK(grid[i].count == 3);
    if (i > 0) CHECK(grid[i].t == grid[i - 1].s);
    CHECK(grid[i].last() == (i == 2));
  }
}

TEST_CASE("a uniform grid has equal steps and exact ends", "[core]") {
  for (const std::size_t steps : {1u, 3u, 7u, 100u, 1000u}) {
    const auto grid = uniform_grid(steps);
    CHECK(grid.steps() == steps);
    CHECK(grid.start().value == 1.0);
    CHECK(grid.end().value == 0.0);
    // Times between 0 and 1 are rounded by at most 1.2e-16 each.
    for (std::size_t i = 0; i < steps; ++i)
      CHECK_THAT(grid[i].t.value - grid[i].s.value,
                 Catch::Matchers::WithinAbs(1.0 / static_cast<double>(steps), 3e-16));
  }
  const auto part = uniform_grid(10, 0.9, 0.05);
  CHECK(part.start().value == 0.9);
  CHECK(part.end().value == 0.05);
  CHECK_FALSE(part[9].last());
}

TEST_CASE("a grid refuses times that no run can follow", "[core]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_REFUSED(time_grid({}), "number of times in the grid is 0, but it must be at least 2");
  CHECK_REFUSED(time_grid({1.0}), "number of times in the grid is 1, but it must be at least 2");
  CHECK_REFUSED(time_grid({1.0, 1.0}), "time in the grid is 1, but it must be smaller than the time before it");
  CHECK_REFUSED(time_grid({0.2, 0.5}), "time in the grid is 0.5, but it must be smaller than the time before it");
  CHECK_REFUSED(time_grid({1.5, 0.5}), "time in the grid is 1.5, but it must be between 0 and 1");
  CHECK_REFUSED(time_grid({1.0, -0.5}), "time in the grid is -0.5, but it must be between 0 and 1");
  CHECK_REFUSED(time_grid({1.0, nan}), "time in the grid is nan, but it must be between 0 and 1");
  CHECK_REFUSED(uniform_grid(0), "steps is 0, but it must be at least 1");
  CHECK_REFUSED(uniform_grid(2, 0.1, 0.5),
                "time in the grid is 0.30000000000000004, but it must be smaller than the time before it");
}
