#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/corruption/archetype.hpp>
#include <softscore/denoiser/archetype.hpp>
#include <softscore/objective/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The mean over elements of weight * residual^2 for every image; on return `scales` holds, per image, what turns the
// residual into the gradient of the batch's mean loss.
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

// Scratch of an objective on the estimate: h and a second array, and a number and a time per image.
template <class A>
struct residual_memory {
  A residual, corrupted;
  std::vector<double> scales;
  std::vector<diffusion_time> times;
};

template <class T, class Be>
residual_memory<array_of<Be, T>> make_residual_memory(Be& be, const shape& most) {
  return {be.template make<T>(most), be.template make<T>(most), std::vector<double>(most.images),
          std::vector<diffusion_time>(most.images)};
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
