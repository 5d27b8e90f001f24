#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/core/xtensor.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "refused_memory.hpp"

using namespace softscore;

namespace {

constexpr std::size_t most = std::numeric_limits<std::size_t>::max(), half = std::size_t{1} << 32;

}  // namespace

TEST_CASE("A product of counts is exact or refused", "[core]") {
  CHECK(product_of("count", {}) == 1);
  CHECK(product_of("count", {3, 4, 5}) == 60);
  CHECK(product_of("count", {3, 4}, 12) == 12);
  CHECK_REFUSED(product_of("count", {3, 4}, 11), "count is 3 x 4, but it must be at most 11");
  CHECK(product_of("count", {most_bytes}) == most_bytes);
  CHECK(product_of("count", {most}, most) == most);
  CHECK_REFUSED(product_of("count", {most_bytes + 1}), "count is 9223372036854775808, but it must be at most");
  // 2^64 wraps to 0, and 3 x (2^64 + 2) / 3 to 2.
  CHECK_REFUSED(product_of("count", {half, half}, most), "count is 4294967296 x 4294967296");
  CHECK_REFUSED(product_of("count", {3, most / 3 + 1}, most), "count is 3 x 6148914691236517206");
  // Nothing times anything is nothing, wherever it stands.
  CHECK(product_of("count", {0, half, half}) == 0);
  CHECK(product_of("count", {half, half, 0}) == 0);
}

TEST_CASE("An array of more bytes than there can be is refused", "[core]") {
  serial_backend be;
  const std::vector<shape> too_large{
      {most, 1, 1, 1}, {half, 1, half, 1}, {half, half, half, half}, {most / 8 + 1, 1, 1, 1}};
  for (const shape& extent : too_large) {
    CHECK_REFUSED(be.make<double>(extent), "number of bytes of an array is ");
    CHECK_REFUSED(make_tensor<double>(extent), "number of bytes of an array is ");
  }
  CHECK(be.make<double>({0, most, most, 1}).extent().images == 0);
  CHECK_REFUSED(uniform_grid(most), "steps is 18446744073709551615, but it must be at most");
  CHECK_REFUSED(vector_of<double>("betas", {half, half}), "betas is 4294967296 x 4294967296");
  CHECK(vector_of<int>("numbers", {2, 3}, 7) == std::vector<int>(6, 7));
}

TEST_CASE("Memory that cannot be had is refused with its bytes", "[core]") {
  if (!memory_can_be_refused) return;
  serial_backend be;
  const shape petabytes{std::size_t{1} << 40, 1, 32, 32};  // 2^50 elements, 2^52 bytes of float
  CHECK_REFUSED(be.make<float>(petabytes), "memory for an array is 4503599627370496 bytes");
  CHECK_REFUSED(make_tensor(petabytes), "memory for a tensor is 4503599627370496 bytes");
  for (const char* const what : {"numbers", "number of numbers"})
    CHECK_REFUSED(vector_of<float>(what, {std::size_t{1} << 50}), "memory for numbers is 4503599627370496 bytes");
  CHECK_REFUSED(uniform_grid((std::size_t{1} << 49) - 1), "memory for times of the grid is 4503599627370496 bytes");
}
