#pragma once

#include <cstddef>
#include <string_view>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/unet/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The last convolution or dense layer of a block or of the network. It starts near zero, so that the block starts as
// its skip.
inline bool ends_block(std::string_view name) {
  const std::string_view weight = name.substr(0, name.rfind('.'));
  return weight.ends_with(".conv2") || weight.ends_with(".to_out.0") || weight == "conv_out" ||
         weight.ends_with(".conv_out");
}

// Initial values by recipe (config.hpp), for the arrays from number `first` on. Norms and tables keep theirs. The other
// biases start at zero, except under PyTorch's recipe and under ADM's, which follows PyTorch outside the last layers.
inline void choose_first_values(parameter_layout& layout, std::size_t first, unet_recipe recipe) {
  if (recipe == unet_recipe::pytorch) return;
  layout.choose_first_values(first, [&](const parameter& p) -> first_values {
    const bool bias = p.name.ends_with(".bias"), last = ends_block(p.name);
    const first_values placed{p.start, p.spread, p.normal};
    if (p.normal || p.start != 0 || p.spread == 0) return placed;
    if (recipe == unet_recipe::adm) return last ? first_values{} : placed;
    if (bias) return {};
    const auto of = [](std::size_t n) { return static_cast<double>(n); };
    const std::size_t taps = p.size() / (p.sizes[0] * p.sizes[1]);
    const double spread = std::sqrt(6 / (of(p.sizes[1] * taps) + of(p.sizes[0] * taps)));  // Glorot and Bengio 2010
    const bool reads_tokens =
        p.name.ends_with(".to_q.weight") || p.name.ends_with(".to_k.weight") || p.name.ends_with(".to_v.weight");
    if (last) return {0, 1e-5 * spread};
    return {0, recipe == unet_recipe::edm && reads_tokens ? std::sqrt(0.2) * spread : spread};
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
