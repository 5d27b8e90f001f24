#pragma once

#include <cstddef>
#include <span>

#include <softscore/core/config.hpp>
#include <softscore/objective/weighted_residual.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Compares the clean image with the estimate under any corruption: mean |h - x_0|^2, the baseline of Daras et al.
/// 2022, Section 3.1. For a network that predicts x_0 it is the squared loss of cold diffusion (Bansal et al. 2022).
struct naive_loss : detail::keeps_residual {
  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C&, const D& denoiser, DM& denoiser_memory, const corrupted_batch<Be, T>& batch,
                in_of<Be, T> phi, out_of<Be, T> gradient, double* losses, M& memory) const {
    using space = typename Be::space;
    const auto residual = memory.residual.view().images(0, phi.extent().images);
    detail::error_of_estimate(be, denoiser, denoiser_memory, batch, phi, residual);
    detail::mean_square<Be, T>(be, residual, losses, memory.scales, [](std::size_t) { return 1.0; });
    be.combine(residual, term<T, space>{each_of(memory.scales), residual});
    denoiser.template to_output<Be, T>(be, batch.times, residual, gradient, denoiser_memory);
  }
};
static_assert(Objective<naive_loss, archetype_corruption, archetype_denoiser, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
