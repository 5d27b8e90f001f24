#include <softscore/core/eigen.hpp>

#include <span>
#include <vector>

#include "catch.hpp"

TEST_CASE("a batch is a matrix with one image a row, on the same elements") {
  std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  const softscore::view<float, softscore::host_space> batch{numbers.data(), {2, 1, 1, 3}};
  auto matrix = softscore::as_matrix(batch);
  REQUIRE(matrix.rows() == 2);
  REQUIRE(matrix.cols() == 3);
  CHECK(matrix(1, 0) == 4.0f);
  matrix(0, 2) = 9.0f;
  CHECK(numbers[2] == 9.0f);
  CHECK(softscore::as_matrix(softscore::view<const float, softscore::host_space>{batch}).sum() == 27.0f);

  const softscore::row_matrix<float> product = matrix * matrix.transpose();
  CHECK(product(0, 1) == 4.0f + 10.0f + 54.0f);
  CHECK(softscore::as_vector(std::span<const float>{numbers}).dot(softscore::as_vector(std::span<float>{numbers})) ==
        1.0f + 4.0f + 81.0f + 16.0f + 25.0f + 36.0f);
}
