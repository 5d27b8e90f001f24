#pragma once

#include <cstddef>
#include <span>

#include <softscore/core/config.hpp>
#include <softscore/objective/weighted_residual.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// DDPM's simple loss (Ho et al. 2020, Algorithm 1): mean |phi - z|^2 for a network that predicts the noise.
struct epsilon_loss : detail::keeps_residual {
  static constexpr bool needs_normal_noise = true, needs_epsilon_prediction = true;

  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C&, const D&, DM&, const corrupted_batch<Be, T>& batch, in_of<Be, T> phi,
                out_of<Be, T> gradient, double* losses, M& memory) const {
    using one = term_of<Be, T>;
    const auto residual = memory.residual.view().images(0, phi.extent().images);
    be.combine(residual, one{1.0, phi}, one{-1.0, batch.xi});
    detail::mean_square<Be, T>(be, residual, losses, memory.scales, [](std::size_t) { return 1.0; });
    be.combine(gradient, one{each_of(memory.scales), residual});
  }
};
static_assert(Objective<epsilon_loss, archetype_corruption, archetype_denoiser, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
