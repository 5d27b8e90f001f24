#pragma once

#include <cstddef>
#include <span>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/objective/naive_loss.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The norm of `cold_loss`.
enum class restoration_norm { l1, l2 };

/// Cold diffusion's loss (Bansal et al. 2022; Knottenbelt n.d., Algorithm 3): the mean of |h - x_0|, or by default of
/// its square.
struct cold_loss {
  restoration_norm norm{restoration_norm::l2};

  template <Scalar T, class Be>
  detail::residual_memory<array_of<Be, T>> workspace(Be& be, const shape& most) const {
    return naive_loss{}.workspace<T>(be, most);
  }

  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& corruption, const D& denoiser, DM& denoiser_memory,
                const corrupted_batch<Be, T>& batch, in_of<Be, T> phi, out_of<Be, T> gradient, double* losses,
                M& memory) const {
    if (norm == restoration_norm::l2) {
      naive_loss{}.evaluate(be, corruption, denoiser, denoiser_memory, batch, phi, gradient, losses, memory);
      return;
    }
    const std::size_t images = phi.extent().images;
    const auto residual = memory.residual.view().images(0, images), sign = memory.corrupted.view().images(0, images);
    detail::error_of_estimate(be, denoiser, denoiser_memory, batch, phi, residual);
    be.for_each(sign_of{}, sign, view_of<Be, const T>(residual));
    be.dot(view_of<Be, const T>(residual), view_of<Be, const T>(sign), losses);
    const auto elements = static_cast<double>(phi.extent().per_image());
    for (std::size_t i = 0; i < images; ++i) losses[i] /= elements;
    be.combine(sign, term{1.0 / (elements * static_cast<double>(images)), sign});
    denoiser.template to_output<Be, T>(be, batch.times, sign, gradient, denoiser_memory);
  }

 public:  // for kernels, which can use only public types
  struct sign_of {
    template <class T>
    SOFTSCORE_HD void operator()(T& out, const T& x) const {
      out = static_cast<T>(x > T{0}) - static_cast<T>(x < T{0});
    }
  };
};
static_assert(Objective<cold_loss, archetype_corruption, archetype_denoiser, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
