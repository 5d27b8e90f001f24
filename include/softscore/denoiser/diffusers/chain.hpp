#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/beta_table.hpp>

// The chains of diffusers, rounded to float32 where diffusers rounds. Its abar differs by up to 1e-6 from that of the
// same betas in double, which changes the images of a run by several 1e-6.
namespace softscore::inline SOFTSCORE_ABI::detail {

// PyTorch's linspace: computed from both ends, each number rounded once.
template <class = when_called>
std::vector<float> float_line(double first, double last, std::size_t count) {
  auto line = vector_of<float>("steps", {count}, static_cast<float>(first));
  if (count < 2) return line;
  const float from = static_cast<float>(first), to = static_cast<float>(last);
  const auto step = static_cast<double>((to - from) / static_cast<float>(count - 1));
  for (std::size_t i = 0; i < count; ++i)
    line[i] = static_cast<float>(i < count / 2 ? static_cast<double>(from) + step * static_cast<double>(i)
                                               : static_cast<double>(to) - step * static_cast<double>(count - 1 - i));
  return line;
}

// abar at the indices 0 .. T - 1: the product of the float32 numbers 1 - beta, rounded after each factor.
template <class = when_called>
std::vector<float> float_products(const std::vector<float>& betas) {
  std::vector<float> abar(betas.size());
  double product = 1.0;
  for (std::size_t i = 0; i < betas.size(); ++i) {
    product *= static_cast<double>(1.0f - betas[i]);
    abar[i] = static_cast<float>(product);
  }
  return abar;
}

// diffusers' rescale_zero_terminal_snr; in double `zero_terminal_snr` computes it.
template <class = when_called>
void end_without_signal(std::vector<float>& betas) {
  std::vector<float> gain = float_products(betas);
  for (float& a : gain) a = std::sqrt(a);
  const float first = gain.front(), last = gain.back();
  float before = 1.0f;
  for (std::size_t i = 0; i < betas.size(); ++i) {
    const float a = (gain[i] - last) * (first / (first - last)), abar = a * a;
    betas[i] = 1.0f - abar / before;
    before = abar;
  }
}

template <class = when_called>
beta_table table_of_floats(const std::vector<float>& betas) {
  const std::vector<float> abar = float_products(betas);
  std::vector<double> log_abar(betas.size() + 1);
  for (std::size_t i = 0; i < betas.size(); ++i) {
    const bool last = i + 1 == betas.size();
    require(betas[i] >= 0.0f && (betas[i] < 1.0f || last), "beta", betas[i], "at least 0 and below 1");
    if (!last && abar[i] == 0.0f) reject("the signal at index " + std::to_string(i), 0, "above 0 before the last one");
    log_abar[i + 1] = std::log(static_cast<double>(abar[i]));
  }
  return beta_table::from_log_abar(std::move(log_abar));
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
