#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/sampler/sample_into.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Drawn images, in the range that the denoiser was trained in or that was requested, and the network evaluations spent
/// on each. After a stop the images of the batches that were not begun are 0.
template <class T>
struct sample_result {
  row_major_tensor<T> images;
  std::size_t nfe{};
  bool stopped{};
};

/// Draws images as the `sample` of sample_into.hpp does, into its own memory. T is the precision of the state. Throws
/// `error` as that function does.
template <class T = float, class Be, class S, class C, class D, class Observer = no_observer>
sample_result<T> sample(Be& be, const S& sampler, const C& corruption, const D& denoiser, const time_grid& grid,
                        const sample_options& options = {}, Observer&& observer = {}) {
  sample_result<T> result;
  if constexpr (detail::parts_fit<Be, S, C, D, T>()) {
    result.images = make_tensor<T>(detail::to_draw(denoiser, options).image.with_images(options.images));
    const auto [nfe, stopped] =
        sample(be, sampler, corruption, denoiser, grid, std::span<T>{result.images.data(), result.images.size()},
               options, std::forward<Observer>(observer));
    result.nfe = nfe;
    result.stopped = stopped;
  }
  return result;
}

}  // namespace softscore::inline SOFTSCORE_ABI
