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
/// set", where `row` is what a row is and `whole` the matrix. It costs one pass.
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

/// Throws `error` for the first of a batch's images, numbered from `first` on, whose value is not finite; it names the
/// image itself where that is to blame.
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

/// The value, unless it is not finite although all that it was made of is: then its type has no room for it.
template <class Real>
Real finite_result(std::string_view name, Real value) {
  require(std::isfinite(value), name, value,
          "finite in its type of number: scale what it is made of, or use a wider type");
  return value;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
