#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/backend/concept.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/view.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

/// Throws `error` for the first element of an Eigen matrix that is not finite: "element 2 of sample 5 of the first
/// set". `row` says what a row is, and `whole` what the matrix is. It costs one pass.
template <class Matrix>
void require_finite_rows(const Matrix& matrix, std::string_view row, std::string_view whole) {
  if (matrix.allFinite()) return;
  using index = decltype(matrix.rows());
  for (index i = 0; i < matrix.rows(); ++i)
    for (index j = 0; j < matrix.cols(); ++j)
      if (!std::isfinite(matrix(i, j)))
        reject("element " + shown(j) + " of " + std::string{row} + " " + shown(i) + " of " + std::string{whole},
               matrix(i, j), "finite");
}

/// Throws `error` for the first of a batch's images, numbered from `first` on, whose value is not finite. If the image
/// itself is not finite, the message says so.
template <class Be, class T>
void require_finite_values(Be& be, out_of<Be, T> images, std::uint64_t first, std::string_view name,
                           const std::vector<double>& values) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (std::isfinite(values[k])) continue;
    std::vector<double> squares(values.size());
    be.dot(images, images, squares.data());
    const std::string image = "image " + shown(first + k);
    require(std::isfinite(squares[k]), "the sum of squares of " + image, squares[k], "finite");
    reject(std::string{name} + " of " + image, values[k], "finite");
  }
}

/// Returns the value. Throws `error` if it is not finite: everything it was computed from is, so its type is too small
/// for it.
template <class Real>
Real finite_result(std::string_view name, Real value) {
  require(std::isfinite(value), name, value,
          "finite in its type of number: scale what it is made of, or use a wider type");
  return value;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
