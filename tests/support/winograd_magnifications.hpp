#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/backend/tbb/winograd.hpp>

/// The matrix of one of Winograd's transforms, by rows.
template <std::size_t Out, std::size_t In, class Transform>
std::vector<std::vector<double>> matrix_of(const Transform& transform) {
  std::vector<std::vector<double>> matrix(Out, std::vector<double>(In));
  for (std::size_t k = 0; k < In; ++k) {
    float unit[In] = {}, column[Out];
    unit[k] = 1;
    transform(unit, column);
    for (std::size_t i = 0; i < Out; ++i) matrix[i][k] = static_cast<double>(column[i]);
  }
  return matrix;
}

inline double length_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v * v;
  return std::sqrt(sum);
}

/// By how much Winograd's algorithm can magnify roundings. An output is the sum over points i of |last_ki| times the
/// product of two transforms, each at most as long as the row of its matrix times what it transforms; so a relative
/// rounding of every product grows to at most max_k sum_i |last_ki| |first_i| |second_i|, in each direction of the
/// plane.
inline double magnification(const std::vector<std::vector<double>>& last, const std::vector<std::vector<double>>& first,
                            const std::vector<std::vector<double>>& second) {
  double most = 0;
  for (const std::vector<double>& row : last) {
    double sum = 0;
    for (std::size_t i = 0; i < row.size(); ++i) sum += std::abs(row[i]) * length_of(first[i]) * length_of(second[i]);
    most = std::max(most, sum);
  }
  return most * most;
}

/// Those of the outputs and of the gradients of weights.
struct magnifications {
  double output, weights;

  magnifications() {
    using softscore::detail::winograd;
    const auto data = matrix_of<6, 6>([](auto& in, auto& out) { winograd::data(in, out); });
    const auto kernel = matrix_of<6, 3>([](auto& in, auto& out) { winograd::kernel(in, out); });
    const auto last = matrix_of<4, 6>([](auto& in, auto& out) { winograd::output(in, out); });
    const auto adjoint = matrix_of<6, 4>([](auto& in, auto& out) { winograd::output_adjoint(in, out); });
    const auto collected = matrix_of<3, 6>([](auto& in, auto& out) { winograd::kernel_adjoint(in, out); });
    output = magnification(last, kernel, data);
    weights = magnification(collected, adjoint, data);
  }
};
