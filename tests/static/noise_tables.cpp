// The noise tables of the defaults, multiplied out by the compiler: each falls all the way, so that its log-SNR does,
// and ends where the exact product ends. Beneath the schedules these would cost everybody who includes them a thousand
// products.
#include <array>
#include <cstddef>

#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/scaled_linear_beta.hpp>

namespace {

constexpr std::size_t steps = 1000;
using table = std::array<double, steps + 1>;

// abar at the indices 0 .. steps of a rule beta(i).
template <class Rule>
constexpr table products_of(Rule beta) {
  table abar{1.0};
  for (std::size_t i = 1; i <= steps; ++i) abar[i] = abar[i - 1] * (1.0 - beta(i));
  return abar;
}

// The root by Newton's rule, for std::sqrt is not for the compiler. From above it falls until rounding stops it.
constexpr double root_of(double square) {
  double root = square > 1.0 ? square : 1.0;
  for (double next = 0.5 * (root + square / root); next < root; next = 0.5 * (root + square / root)) root = next;
  return root;
}

// log(abar / (1 - abar)) falls exactly where abar does.
constexpr bool falls(const table& abar) {
  for (std::size_t i = 1; i <= steps; ++i)
    if (!(abar[i] < abar[i - 1] && abar[i] > 0.0)) return false;
  return true;
}

// abar_1000 of the linear table of Ho et al. 2020.
constexpr auto linear = products_of([](std::size_t i) { return softscore::linear_beta::rule(i, steps, 1e-4, 0.02); });
static_assert(falls(linear) && linear[1] == 0.9999);
static_assert(linear[steps] > 4.035829765e-5 && linear[steps] < 4.035829766e-5);

// 0.00466009851307..., computed with forty digits; a thousand products of a few roundings each leave less than 1e-12
// of it.
constexpr auto scaled_linear = products_of(
    [](std::size_t i) { return softscore::scaled_linear_beta::rule(i, steps, root_of(0.00085), root_of(0.012)); });
static_assert(falls(scaled_linear));
static_assert(scaled_linear[steps] > 0.0046600985130725803 && scaled_linear[steps] < 0.0046600985130819005);

}  // namespace
