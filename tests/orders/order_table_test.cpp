// Part of the table that ./dev orders writes: the measured orders are the stated ones, and what tends to another
// distribution tends to the one that was worked out.
#include "catch.hpp"

#include <cmath>
#include <string>

#include "order_table.hpp"

namespace {

std::size_t check_rows(const char* schedule, const char* family) {
  const auto rows = order_table(schedule, family);
  for (const order_row& row : rows) {
    CAPTURE(row.sampler, row.schedule, row.family, row.order(), row.limit);
    REQUIRE(row.fine.size() == 4);
    if (row.stated > 0) {
      CHECK_THAT(row.order(), Catch::Matchers::WithinRel(static_cast<double>(row.stated), 0.1));
      for (std::size_t i = 1; i < 4; ++i) CHECK(row.fine[i].error < row.fine[i - 1].error);
    } else if (!row.sampler.starts_with("annealed_langevin")) {  // whose bias is small, and far off
      // More steps do not help: a hundredth of the data's variance, about 1, or more stays.
      CHECK(row.limit > 0.01);
      CHECK(row.fine[3].error > 0.01);
    }
    // The distributions that are worked out, to what 16,384 steps leave; soft_ddim's is a long way off.
    if (row.sampler == "naive" || row.sampler.starts_with("predictor_corrector"))
      CHECK_THAT(row.fine[3].error, Catch::Matchers::WithinRel(row.limit, 2e-3));
  }
  return rows.size();
}

}  // namespace

TEST_CASE("cosine schedule, noise alone: every sampler has its order", "[sampler]") {
  CHECK(check_rows("cosine", "identity") == 43);
}
TEST_CASE("VP with a fade: every sampler has its order", "[sampler]") { CHECK(check_rows("VP", "fade") == 25); }
TEST_CASE("at time 0 every method lacks the variance that is left of x_0, and has order 1 at most under VP",
          "[sampler]") {
  const auto rows = end_table();
  REQUIRE(rows.size() == 33);
  const order_row* lost = nullptr;
  for (const order_row& row : rows) {
    CAPTURE(row.sampler, row.schedule, row.order());
    REQUIRE(row.fine.size() == 4);
    if (row.sampler == "Cov(x_0 given x_t)") lost = &row;
    REQUIRE(lost != nullptr);
    if (row.schedule == "VP" && row.sampler != "ddim{}")  // which is below it still
      CHECK_THAT(row.order(), Catch::Matchers::WithinRel(1.0, 0.1));
    for (std::size_t i = 0; i < 4; ++i) {
      // Runge and Kutta's own error is of the size of (1 / 128)^4.
      if (row.sampler == "rk4") CHECK_THAT(row.fine[i].error, Catch::Matchers::WithinAbs(lost->fine[i].error, 4e-9));
    }
  }
}
TEST_CASE("a mask that grows leaves an error at any number of steps", "[sampler]") {
  CHECK(check_rows("VE", "mask") == 5);
}
