#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A = U diag(values) V^T, n x n, row by row; the columns of U and V are the vectors.
struct small_svd {
  std::vector<double> u, values, v;
};

// The columns of a matrix, each contiguous.
struct columns_of {
  std::size_t n;
  std::vector<double> elements;

  double* operator[](std::size_t column) { return elements.data() + column * n; }
  double inner(std::size_t i, std::size_t j) const {
    double sum = 0.0;
    for (std::size_t k = 0; k < n; ++k) sum += elements[i * n + k] * elements[j * n + k];
    return sum;
  }
  void rotate(std::size_t i, std::size_t j, double cosine, double sine) {
    double *a = (*this)[i], *b = (*this)[j];
    for (std::size_t k = 0; k < n; ++k) {
      const double x = a[k];
      a[k] = cosine * x - sine * b[k];
      b[k] = sine * x + cosine * b[k];
    }
  }
  std::vector<double> by_rows() const {
    std::vector<double> rows(n * n);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n; ++k) rows[k * n + i] = elements[i * n + k];
    return rows;
  }
};

// Replaces the columns that `missing` marks by unit vectors orthogonal to all others. Each is made from the axis that
// keeps most of its length when it is made orthogonal, which is done twice.
template <class = when_called>
void complete_basis(columns_of& basis, std::vector<char> missing) {
  const std::size_t n = basis.n;
  for (std::size_t column = 0; column < n; ++column) {
    if (!missing[column]) continue;
    std::vector<double> best(n);
    double longest = -1.0;
    for (std::size_t axis = 0; axis < n && longest < 0.7; ++axis) {
      std::vector<double> e(n);
      e[axis] = 1.0;
      for (int twice = 0; twice < 2; ++twice)
        for (std::size_t other = 0; other < n; ++other) {
          if (missing[other]) continue;
          double along = 0.0;
          for (std::size_t k = 0; k < n; ++k) along += e[k] * basis[other][k];
          for (std::size_t k = 0; k < n; ++k) e[k] -= along * basis[other][k];
        }
      double square = 0.0;
      for (const double x : e) square += x * x;
      if (square > longest) {
        longest = square;
        best = e;
      }
    }
    for (std::size_t k = 0; k < n; ++k) basis[column][k] = best[k] / std::sqrt(longest);
    missing[column] = 0;
  }
}

// One-sided Jacobi rotations (Hestenes 1958), for matrices of the size of one side of an image: the columns of A V are
// rotated until they are orthogonal. Values below n times the rounding of the largest are noise and become 0.
template <class = when_called>
small_svd decompose(std::size_t n, const std::vector<double>& matrix) {
  columns_of w{n, std::vector<double>(n * n)}, v{n, std::vector<double>(n * n)};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < n; ++k) w[i][k] = matrix[k * n + i];
    v[i][i] = 1.0;
  }
  const double eps = std::numeric_limits<double>::epsilon(), count = static_cast<double>(n);
  bool turned = true;
  for (int sweep = 0; sweep < 60 && turned; ++sweep) {
    turned = false;
    for (std::size_t i = 0; i + 1 < n; ++i)
      for (std::size_t j = i + 1; j < n; ++j) {
        const double a = w.inner(i, i), b = w.inner(j, j), c = w.inner(i, j);
        if (!(std::abs(c) > eps * std::sqrt(count) * std::sqrt(a) * std::sqrt(b))) continue;
        turned = true;
        const double zeta = (b - a) / (2.0 * c);
        const double tangent = (zeta < 0.0 ? -1.0 : 1.0) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double cosine = 1.0 / std::hypot(1.0, tangent);
        w.rotate(i, j, cosine, cosine * tangent);
        v.rotate(i, j, cosine, cosine * tangent);
      }
  }
  small_svd parts;
  for (std::size_t i = 0; i < n; ++i) parts.values.push_back(std::sqrt(w.inner(i, i)));
  const double floor = count * eps * (n == 0 ? 0.0 : *std::max_element(parts.values.begin(), parts.values.end()));
  std::vector<char> missing(n);
  for (std::size_t i = 0; i < n; ++i) {
    missing[i] = parts.values[i] <= floor;
    if (missing[i]) parts.values[i] = 0.0;
    for (std::size_t k = 0; k < n && !missing[i]; ++k) w[i][k] /= parts.values[i];
  }
  complete_basis(w, std::move(missing));
  parts.u = w.by_rows();
  parts.v = v.by_rows();
  return parts;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
