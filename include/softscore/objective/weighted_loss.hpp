#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/objective/weighted_residual.hpp>
#include <softscore/objective/weights.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Denoising score matching with any weight (Vincent 2011; Salimans and Ho 2022, Section 4): w mean e^2, where e is the
/// error of the quantity that the weight refers to (x_0, eps, v or the score). The network may predict another
/// quantity. Under C = a I the error is that of the network's own output and the weight is converted, so nothing is
/// divided by a small a or sigma without need. Under another C_t the errors of eps and of the score are C_t (h - x_0)
/// over sigma and sigma^2, and there is no v.
template <class Weight = unit_weight<prediction::epsilon>>
struct weighted_loss {
  static constexpr bool needs_normal_noise = true,
                        needs_scalar_signal = NeedsGain<Weight> || Weight::refers_to == prediction::velocity;
  Weight weight{};

  template <Scalar T, class Be>
  detail::residual_memory<array_of<Be, T>> workspace(Be& be, const shape& most) const {
    return detail::keeps_residual{}.workspace<T>(be, most);
  }

  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& corruption, const D& denoiser, DM& denoiser_memory,
                const corrupted_batch<Be, T>& batch, in_of<Be, T> phi, out_of<Be, T> gradient, double* losses,
                M& memory) const {
    static_assert(D::predicts != prediction::preconditioned || Weight::refers_to != prediction::velocity,
                  "softscore: a loss on the velocity needs a network whose output has a meaning of its own");
    if constexpr (ScalarSignal<C> && D::predicts != prediction::preconditioned) {
      static_cast<void>(denoiser);
      static_cast<void>(denoiser_memory);
      in_units_of_output<Be, C, D, T>(be, corruption, batch, phi, gradient, losses, memory);
    } else {
      under_any_signal<Be>(be, corruption, denoiser, denoiser_memory, batch, phi, gradient, losses, memory);
    }
  }

 private:
  static per_image<double> each(const std::vector<double>& numbers) { return each_of(numbers); }

  // phi minus its target of_clean x_0 + of_noise z; the weight is converted to the units of phi.
  template <class Be, class C, class D, class T, class M>
  void in_units_of_output(Be& be, const C& c, const corrupted_batch<Be, T>& batch, view_of<Be, const T> phi,
                          view_of<Be, T> gradient, double* losses, M& memory) const {
    const std::size_t images = phi.extent().images;
    const auto error = memory.residual.view().images(0, images);
    for (std::size_t i = 0; i < images; ++i) {
      const double a = c.signal_gain(batch.times[i]), sigma = c.sigma(batch.times[i]);
      double of_clean = 1.0, of_noise = 0.0;
      if constexpr (D::predicts == prediction::residual) {
        of_clean = 1.0 - a;
        of_noise = -sigma;
      } else if constexpr (D::predicts == prediction::epsilon) {
        of_clean = 0.0;
        of_noise = 1.0;
      } else if constexpr (D::predicts == prediction::velocity) {
        of_clean = -sigma;
        of_noise = a;
      } else if constexpr (D::predicts == prediction::score) {
        of_clean = 0.0;
        of_noise = -1.0 / sigma;
      }
      memory.of_clean[i] = -of_clean;
      memory.of_noise[i] = -of_noise;
    }
    be.combine(error, term_of<Be, T>{1.0, phi}, term_of<Be, T>{each(memory.of_clean), batch.clean},
               term_of<Be, T>{each(memory.of_noise), batch.xi});
    detail::mean_square<Be, T>(be, error, losses, memory.scales, [&](std::size_t i) {
      const diffusion_time t = batch.times[i];
      return weight_on(D::predicts, Weight::refers_to, weight(c, t), c.signal_gain(t), c.sigma(t));
    });
    be.combine(gradient, term_of<Be, T>{each(memory.scales), error});
  }

  template <class Be, class C, class D, class DM, class T, class M>
  void under_any_signal(Be& be, const C& c, const D& denoiser, DM& denoiser_memory, const corrupted_batch<Be, T>& batch,
                        view_of<Be, const T> phi, view_of<Be, T> gradient, double* losses, M& memory) const {
    constexpr bool of_image = Weight::refers_to == prediction::clean || Weight::refers_to == prediction::residual;
    const std::size_t images = phi.extent().images;
    const auto residual = memory.residual.view().images(0, images),
               corrupted = memory.corrupted.view().images(0, images);
    detail::error_of_estimate(be, denoiser, denoiser_memory, batch, phi, residual);
    if constexpr (!of_image) c.template signal<Be, T>(be, batch.times, residual, corrupted);
    const auto error = of_image ? residual : corrupted;
    detail::mean_square<Be, T>(be, error, losses, memory.scales, [&](std::size_t i) {
      // As for a = 1, since the error contains C_t already.
      const double scale = error_scale(Weight::refers_to, 1.0, c.sigma(batch.times[i]));
      return weight(c, batch.times[i]) * scale * scale;
    });
    be.combine(error, term_of<Be, T>{each(memory.scales), error});
    if constexpr (!of_image) c.template signal_adjoint<Be, T>(be, batch.times, corrupted, residual);
    denoiser.template to_output<Be, T>(be, batch.times, residual, gradient, denoiser_memory);
  }
};
static_assert(Objective<weighted_loss<>, archetype_corruption, archetype_denoiser, archetype_backend, float>);

/// Plain score matching under any corruption with normal noise: mean |s - (C_t x_0 - x_t) / sigma_t^2|^2 (Daras et al.
/// 2022, Eq. 6).
using score_matching = weighted_loss<unit_weight<prediction::score>>;

}  // namespace softscore::inline SOFTSCORE_ABI
