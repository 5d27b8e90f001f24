#pragma once

#include <cstddef>
#include <limits>
#include <vector>

/// The least sum of cost[i][p(i)] over all permutations p, exactly (the Hungarian method with shortest augmenting
/// paths), divided by the number of rows: the optimal transport between equally weighted points.
inline double assignment_cost(const std::vector<std::vector<double>>& cost) {
  const std::size_t n = cost.size();
  std::vector<double> of_row(n + 1), of_column(n + 1);
  std::vector<std::size_t> row_of(n + 1), before(n + 1);
  for (std::size_t i = 1; i <= n; ++i) {
    row_of[0] = i;
    std::size_t column = 0;
    std::vector<double> least(n + 1, std::numeric_limits<double>::infinity());
    std::vector<bool> used(n + 1, false);
    do {
      used[column] = true;
      std::size_t next = 0;
      double step = std::numeric_limits<double>::infinity();
      for (std::size_t j = 1; j <= n; ++j) {
        if (used[j]) continue;
        const double slack = cost[row_of[column] - 1][j - 1] - of_row[row_of[column]] - of_column[j];
        if (slack < least[j]) least[j] = slack, before[j] = column;
        if (least[j] < step) step = least[j], next = j;
      }
      for (std::size_t j = 0; j <= n; ++j) {
        if (used[j]) {
          of_row[row_of[j]] += step;
          of_column[j] -= step;
        } else {
          least[j] -= step;
        }
      }
      column = next;
    } while (row_of[column] != 0);
    for (; column != 0; column = before[column]) row_of[column] = row_of[before[column]];
  }
  double sum = 0.0;
  for (std::size_t j = 1; j <= n; ++j) sum += cost[row_of[j] - 1][j - 1];
  return sum / static_cast<double>(n);
}
