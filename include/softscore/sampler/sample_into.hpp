#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/pixel_scale.hpp>
#include <softscore/sampler/integrate.hpp>

namespace softscore {  // shared

/// Options of `sample`.
struct sample_options {
  std::size_t images{64};             ///< how many to draw
  std::uint64_t seed{0};              ///< image i of a seed does not depend on what else is drawn
  std::uint64_t first{0};             ///< number of the first image
  std::size_t batch_size{64};         ///< images that go through the network together; the result does not depend on it
  std::optional<shape> image{};       ///< the shape of one image; by default the denoiser's own, if it knows it
  std::vector<class_label> labels{};  ///< the class of each image in the order of drawing, or one for all
  conditioning given{};               ///< what else is known about each image, in the same order
  /// From [0, 1] to the range that the model sees, as in training: the images are returned in [0, 1], clipped to it.
  /// Without it they are returned as the model draws them.
  std::optional<pixel_scale> pixels{};
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// The cost of drawing: the network evaluations spent on each image, and whether an observer stopped the run.
struct sample_summary {
  std::size_t nfe{};
  bool stopped{};
};

namespace detail {
template <class D>
shape shape_to_draw(const D& denoiser, const sample_options& options) {
  if constexpr (KnowsImage<D>) {
    const shape own = shape{denoiser.image()}.with_images(1);
    if (!options.image) return own;
    if (!TakesAnySize<D> && options.image->with_images(1) != own) {
      std::ostringstream rule;
      rule << "that of the denoiser's images, " << own;
      reject("image", options.image->with_images(1), rule.str());
    }
  } else {
    if (!options.image) reject("image", "missing", "given, since this denoiser does not know the shape of its images");
  }
  require(options.image->per_image() >= 1, "image", options.image->with_images(1), "of at least one element");
  return options.image->with_images(1);
}

// Converts pixels back from the model's range to [0, 1]; NaN stays NaN.
template <class T>
void undo_scale(std::span<T> pixels, pixel_scale scale) {
  const T gain = static_cast<T>(scale.gain), offset = static_cast<T>(scale.offset);
  for (T& x : pixels) {
    x = (x - offset) / gain;
    x = x < T{} ? T{} : x > T{1} ? T{1} : x;
  }
}

// What to draw: the shape of one image, and what is known about each.
struct drawing {
  shape image;
  std::vector<class_label> labels;
  conditioning given;
};
template <class D>
drawing to_draw(const D& denoiser, const sample_options& options) {
  require(options.images >= 1, "images", options.images, "at least 1");
  require(options.batch_size >= 1, "batch_size", options.batch_size, "at least 1");
  if (options.pixels) {
    require(std::isfinite(options.pixels->gain) && options.pixels->gain != 0.0f, "gain of the pixels",
            options.pixels->gain, "finite and not 0");
    require(std::isfinite(options.pixels->offset), "offset of the pixels", options.pixels->offset, "finite");
  }
  drawing drawn{shape_to_draw(denoiser, options), {}, options.given};
  if (!options.labels.empty()) {
    const std::size_t count = options.labels.size();
    require(options.given.labels.empty(), "number of labels in `given`", options.given.labels.size(),
            "0 where `labels` are given");
    require(count == 1 || count == options.images, "number of labels", count,
            "0, 1 or that of the images, " + shown(options.images));
    drawn.labels = options.labels;
    drawn.labels.resize(options.images, options.labels.front());
    drawn.given.labels = drawn.labels;
  }
  const shape all = drawn.image.with_images(options.images);
  require_one_per_image(drawn.given, all);
  if constexpr (ChecksBatch<D>) denoiser.check(drawn.given, all);
  return drawn;
}
}  // namespace detail

/// Draws images into `out`, one after another and channel by channel, in the range that the denoiser was trained in or
/// that the option `pixels` requests. It starts from the corruption's distribution at the grid's first time and runs
/// the sampler along the grid, batch by batch. T is the precision of the state. The observer sees every step of every
/// batch (integrate.hpp); after a stop the images of the batches that were not begun are 0. Throws `error` for a count
/// of 0, if `out` does not have the size of the images, for a shape that is missing or that the denoiser does not
/// accept, for a number of labels other than 1 and the number of images, and as `integrate` does.
template <class Be, class S, class C, class D, class T, std::size_t Size, class Observer = no_observer>
sample_summary sample(Be& be, const S& sampler, const C& corruption, const D& denoiser, const time_grid& grid,
                      std::span<T, Size> out, const sample_options& options = {}, Observer&& observer = {}) {
  sample_summary summary;
  static_assert(!std::is_const_v<T>, "softscore: the memory for the images is a span of constants");
  if constexpr (std::is_const_v<T>) {
    return summary;
  } else if constexpr (detail::parts_fit<Be, S, C, D, T>()) {
    const auto drawn = detail::to_draw(denoiser, options);
    const shape image = drawn.image;
    const std::size_t each = image.per_image();
    if (out.size() / each != options.images || out.size() % each != 0) {
      std::ostringstream rule;
      rule << options.images << " images of " << each << " elements";
      reject("size of the memory for the images", out.size(), rule.str());
    }
    for (std::size_t done = 0; done < options.images; done += options.batch_size) {
      if (summary.stopped) {
        std::fill(out.begin() + static_cast<std::ptrdiff_t>(done * each), out.end(), T{});
        break;
      }
      const image_range part{options.first + done, (std::min)(options.batch_size, options.images - done)};
      const auto of_all = [&](sampling_progress<Be, T> progress) {
        progress.done = done;
        progress.images = options.images;
        return detail::goes_on(observer, std::as_const(progress));
      };
      auto one = integrate(
          be, sampler, corruption, denoiser, grid,
          draw_start<T>(be, corruption, grid, image, part, options.seed, drawn.given.images(done, part.count)),
          options.seed, of_all);
      be.download(view_of<Be, const T>(one.x.view()), out.data() + done * each);
      if (options.pixels)
        detail::undo_scale(std::span<T>{out.data() + done * each, part.count * each}, *options.pixels);
      summary.nfe = (std::max)(summary.nfe, one.nfe);
      summary.stopped = one.stopped;
    }
  }
  return summary;
}

}  // namespace softscore::inline SOFTSCORE_ABI
