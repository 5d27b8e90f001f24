#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/sampler/drive.hpp>

namespace softscore {

/// What `sample` may be told.
struct sample_options {
  std::size_t images{64};  ///< how many to draw
  std::uint64_t seed{0};   ///< image i of a seed is the same whatever else is drawn
  std::uint64_t first{0};  ///< number of the first image
  std::size_t batch{64};   ///< images that go through the network together; the result does not depend on it
};

/// Drawn images, in the range that the denoiser was trained in, and the network evaluations spent on each. After a stop
/// the images of the batches that were not begun are 0.
template <class T>
struct sample_result {
  row_major_tensor<T> images;
  std::size_t nfe{};
  bool stopped{};
};

/// Draws images of shape `image`: starts from the corruption's law at the grid's first time and runs the sampler along
/// the grid, batch by batch. T is the precision of the state. The observer sees every step of every batch (drive.hpp).
/// Throws `error` for a count of 0 and for a noise that rises along the grid.
template <class T = float, class Be, class S, class C, class D, class Observer = no_observer>
sample_result<T> sample(Be& be, const S& sampler, const C& corruption, const D& denoiser, const time_grid& grid,
                        const shape& image, const sample_options& options = {}, Observer&& observer = {}) {
  require(options.images >= 1, "images", options.images, "at least 1");
  require(options.batch >= 1, "batch", options.batch, "at least 1");
  sample_result<T> result{make_tensor<T>(image.with_images(options.images)), 0, false};
  result.images.fill(T{});
  for (std::size_t done = 0; done < options.images && !result.stopped; done += options.batch) {
    const batch part{options.first + done, (std::min)(options.batch, options.images - done)};
    const auto of_all = [&](sampling_progress<Be, T> progress) {
      progress.done = done;
      progress.images = options.images;
      return detail::goes_on(observer, std::as_const(progress));
    };
    auto one = drive(be, sampler, corruption, denoiser, grid,
                     draw_start<T>(be, corruption, grid, image, part, options.seed), options.seed, of_all);
    be.download(view_of<Be, const T>(one.x.view()), result.images.data() + done * image.per_image());
    result.nfe = (std::max)(result.nfe, one.nfe);
    result.stopped = one.stopped;
  }
  return result;
}

/// The same for a denoiser that knows the shape of its images.
template <class T = float, class Be, class S, class C, class D, class Observer = no_observer>
  requires requires(const D denoiser) {
    { denoiser.image() } -> std::convertible_to<shape>;
  }
sample_result<T> sample(Be& be, const S& sampler, const C& corruption, const D& denoiser, const time_grid& grid,
                        const sample_options& options = {}, Observer&& observer = {}) {
  return sample<T>(be, sampler, corruption, denoiser, grid, denoiser.image(), options,
                   std::forward<Observer>(observer));
}

}  // namespace softscore
