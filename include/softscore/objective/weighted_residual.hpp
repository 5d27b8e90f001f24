#pragma once

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/corruption/archetype.hpp>
#include <softscore/denoiser/archetype.hpp>
#include <softscore/objective/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The mean over elements of weight * residual^2 for every image. On return `scales` holds, per image, the factor that
// turns the residual into the gradient of the batch's mean loss.
template <class Be, class T, class W>
void mean_square(Be& be, view_of<Be, const T> residual, double* losses, std::vector<double>& scales, W weight_of) {
  const std::size_t images = residual.extent().images;
  const auto elements = static_cast<double>(residual.extent().per_image());
  be.dot(residual, residual, losses);
  for (std::size_t i = 0; i < images; ++i) {
    const double weight = weight_of(i);
    losses[i] *= weight / elements;
    scales[i] = 2.0 * weight / (elements * static_cast<double>(images));
  }
}

// h - x_0, where phi is the network's output on the batch.
template <class Be, class D, class DM, class T>
void error_of_estimate(Be& be, const D& denoiser, DM& denoiser_memory, const corrupted_batch<Be, T>& batch,
                       view_of<Be, const std::type_identity_t<T>> phi, view_of<Be, std::type_identity_t<T>> residual) {
  using one = term_of<Be, T>;
  denoiser.template from_output<Be, T>(be, batch.times, batch.noisy, phi, residual, denoiser_memory);
  be.combine(residual, one{1.0, residual}, one{-1.0, batch.clean});
}

// Scratch memory of an objective on the estimate: h and a second array, and numbers and a time per image.
template <class A>
struct residual_memory {
  A residual, corrupted;
  std::vector<double> scales, of_clean, of_noise;
  std::vector<diffusion_time> times;
};

// The workspace of an objective that needs no other.
struct keeps_residual {
  template <Scalar T, class Be>
  residual_memory<array_of<Be, T>> workspace(Be& be, const shape& most) const {
    const std::vector<double> numbers(most.images);
    return {be.template make<T>(most),
            be.template make<T>(most),
            numbers,
            numbers,
            numbers,
            std::vector<diffusion_time>(most.images)};
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
