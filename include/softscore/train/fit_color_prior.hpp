#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/view.hpp>
#include <softscore/corruption/prior.hpp>
#include <softscore/data/loader.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Fits the prior of Daras et al. 2022: one color per image, drawn from a normal distribution with independent
/// channels that has the mean and the deviation of the images' mean colors, fills the image (Appendix D). Uses at most
/// the first `most` images, read in the range that the model sees. It is not the distribution of a blur that pads with
/// zeros: `fit_prior` fits that one. Throws `error` for fewer than two images, and for one whose mean color is not
/// finite.
template <class = when_called>
fitted_prior fit_color_prior(view<const float, host_space> images, pixel_scale pixels = {}, std::size_t most = 10000) {
  const std::size_t count = (std::min)(most, images.extent().images);
  require(count >= 2, "number of images to fit a prior to", count, "at least 2");
  const shape extent = images.extent();
  const std::size_t channels = extent.channels, plane = extent.height * extent.width;
  auto colors = vector_of<double>("mean colors of the images", {count, channels});
  std::vector<double> mean(extent.per_image()), deviations(channels);
  auto modes = vector_of<double>("elements of the modes", {channels, extent.per_image()});
  for (std::size_t i = 0; i < count * channels; ++i) {
    double sum = 0.0;
    for (std::size_t k = 0; k < plane; ++k) sum += static_cast<double>(images[i * plane + k]);
    colors[i] =
        static_cast<double>(pixels.gain) * sum / static_cast<double>(plane) + static_cast<double>(pixels.offset);
    if (!std::isfinite(colors[i]))
      reject("the mean of channel " + detail::shown(i % channels) + " of image " + detail::shown(i / channels),
             colors[i], "finite");
  }
  for (std::size_t c = 0; c < channels; ++c) {
    double center = 0.0, spread = 0.0;
    for (std::size_t i = 0; i < count; ++i) center += colors[i * channels + c] / static_cast<double>(count);
    for (std::size_t i = 0; i < count; ++i) {
      const double off = colors[i * channels + c] - center;
      spread += off * off / static_cast<double>(count - 1);
    }
    deviations[c] = std::sqrt(spread);
    for (std::size_t k = c * plane; k < (c + 1) * plane; ++k) {
      mean[k] = center;
      modes[c * extent.per_image() + k] = 1.0;
    }
  }
  return fitted_prior{std::move(mean), std::move(deviations), std::move(modes)};
}

}  // namespace softscore::inline SOFTSCORE_ABI
