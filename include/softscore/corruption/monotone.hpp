#pragma once

#include <array>
#include <cstddef>

#include <softscore/core/quantity.hpp>

namespace softscore::detail {

// abar at the indices 0 .. Steps of a rule beta(i), by products, which the compiler can do.
template <std::size_t Steps, class Rule>
constexpr std::array<double, Steps + 1> products_of(Rule beta) {
  std::array<double, Steps + 1> abar{1.0};
  for (std::size_t i = 1; i <= Steps; ++i) abar[i] = abar[i - 1] * (1.0 - beta(i));
  return abar;
}

// The root by Newton's rule, for tables that the compiler makes: std::sqrt is not for it. From above it falls until
// rounding stops it.
constexpr double root_of(double square) {
  double root = square > 1.0 ? square : 1.0;
  for (double next = 0.5 * (root + square / root); next < root; next = 0.5 * (root + square / root)) root = next;
  return root;
}

// The log-SNR of a table, log(abar / (1 - abar)), falls exactly where abar does.
template <std::size_t Size>
constexpr bool falls(const std::array<double, Size>& abar) {
  for (std::size_t i = 1; i < Size; ++i)
    if (!(abar[i] < abar[i - 1] && abar[i] > 0.0)) return false;
  return true;
}

// Whether f falls at every one of 64 steps from time 0 to time 1.
template <class F>
constexpr bool falls_over_time(F f) {
  for (int i = 1; i <= 64; ++i)
    if (!(f(diffusion_time{i / 64.0}) < f(diffusion_time{(i - 1) / 64.0}))) return false;
  return true;
}

}  // namespace softscore::detail
