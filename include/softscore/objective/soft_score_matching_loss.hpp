#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/at_each_time.hpp>
#include <softscore/objective/weighted_residual.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The weight of an image's loss at time t: 1, or 1 / sigma_t^2.
enum class loss_weight { one, inverse_variance };

/// Soft score matching (Daras et al. 2022, Eq. 12): w(t) mean |C_t (h - x_0)|^2, which with the residual prediction is
/// w |C_t (phi - (x_0 - x_t))|^2; its gradient in h is 2 w C_t^T C_t (h - x_0) over the number of elements. The paper's
/// weight is 1 / sigma^2.
struct soft_score_matching_loss {
  static constexpr bool needs_normal_noise = true;

  loss_weight weight{loss_weight::inverse_variance};
  /// Compares under C at time t - ahead (at 0 if that is earlier). With 0 this is the loss of Daras et al. 2022. It
  /// trains nothing in the null space of C_t, although the sampler's step adds (C_s - C_t) h from there. A value above
  /// the longest step trains that part too.
  double ahead{0.0};

  /// Throws `error` unless 0 <= ahead <= 1.
  template <Scalar T, class Be>
  detail::residual_memory<array_of<Be, T>> workspace(Be& be, const shape& most) const {
    require(ahead >= 0.0 && ahead <= 1.0, "ahead", ahead, "between 0 and 1");
    return detail::keeps_residual{}.workspace<T>(be, most);
  }

  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& corruption, const D& denoiser, DM& denoiser_memory,
                const corrupted_batch<Be, T>& batch, in_of<Be, T> phi, out_of<Be, T> gradient, double* losses,
                M& memory) const {
    using space = typename Be::space;
    const std::size_t images = phi.extent().images;
    const auto residual = memory.residual.view().images(0, images),
               corrupted = memory.corrupted.view().images(0, images);
    detail::error_of_estimate(be, denoiser, denoiser_memory, batch, phi, residual);
    const auto compared = ahead == 0.0 ? batch.times : earlier(batch.times, images, memory.times);
    corruption.template signal<Be, T>(be, compared, residual, corrupted);
    detail::mean_square<Be, T>(be, corrupted, losses, memory.scales, [&](std::size_t i) {
      if (weight == loss_weight::one) return 1.0;
      const double sigma = corruption.sigma(batch.times[i]);
      return 1.0 / (sigma * sigma);
    });
    be.combine(corrupted, term<T, space>{each_of(memory.scales), corrupted});
    corruption.template signal_adjoint<Be, T>(be, compared, corrupted, residual);
    denoiser.template to_output<Be, T>(be, batch.times, residual, gradient, denoiser_memory);
  }

 private:
  template <class Time>
  per_image<Time> earlier(per_image<Time> times, std::size_t images, std::vector<Time>& buffer) const {
    return detail::at_each_time<Time>(times, images, buffer,
                                      [&](Time t) { return Time{(std::max)(0.0, t.value - ahead)}; });
  }
};
static_assert(Objective<soft_score_matching_loss, archetype_corruption, archetype_denoiser, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
