#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/concept.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/pixel_scale.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/view.hpp>
#include <softscore/corruption/prior.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

/// Mean and standard deviation of each channel's colors; the colors have one row of `channels` per image.
struct color_moments {
  std::vector<double> mean, deviation;

  template <class = when_called>
  color_moments(const std::vector<double>& colors, std::size_t channels) : mean(channels), deviation(channels) {
    const std::size_t count = colors.size() / channels;
    for (std::size_t c = 0; c < channels; ++c) {
      double spread = 0.0;
      for (std::size_t i = 0; i < count; ++i) mean[c] += colors[i * channels + c] / static_cast<double>(count);
      for (std::size_t i = 0; i < count; ++i) {
        const double off = colors[i * channels + c] - mean[c];
        spread += off * off / static_cast<double>(count - 1);
      }
      deviation[c] = std::sqrt(spread);
    }
  }
};

/// Returns the mean of each channel of each image; throws `error` if one is not finite.
template <class = when_called>
std::vector<double> mean_colors(view<const float, host_space> images, pixel_scale pixels) {
  const shape extent = images.extent();
  const std::size_t channels = extent.channels, plane = extent.plane();
  auto colors = vector_of<double>("mean colors of the images", {extent.images, channels});
  for (std::size_t i = 0; i < colors.size(); ++i) {
    double sum = 0.0;
    for (std::size_t k = 0; k < plane; ++k) sum += static_cast<double>(images[i * plane + k]);
    colors[i] =
        static_cast<double>(pixels.gain) * sum / static_cast<double>(plane) + static_cast<double>(pixels.offset);
    if (!std::isfinite(colors[i]))
      reject("the mean of channel " + shown(i % channels) + " of image " + shown(i / channels), colors[i], "finite");
  }
  return colors;
}

/// One mode per channel: its color times `shade`, one image.
template <class = when_called>
fitted_prior shaded_color(const color_moments& colors, view<const float, host_space> shade) {
  const std::size_t channels = shade.extent().channels, plane = shade.extent().plane(), all = channels * plane;
  std::vector<double> mean(all);
  auto modes = vector_of<double>("elements of the modes", {channels, all});
  for (std::size_t k = 0; k < all; ++k) {
    const std::size_t c = k / plane;
    mean[k] = colors.mean[c] * static_cast<double>(shade[k]);
    modes[c * all + k] = static_cast<double>(shade[k]);
  }
  return fitted_prior{std::move(mean), colors.deviation, std::move(modes)};
}

}  // namespace detail

/// Fits the prior of Daras et al. 2022: one random color fills the image (Appendix D). The color is normal with
/// independent channels, and has the mean and the standard deviation of the images' mean colors. It uses at most the
/// first `most` images, converted to the range that the model sees. It is not the distribution that a blur with zero
/// padding leaves: `fit_prior`, and the overload with a corruption, fit that one. Throws `error` for fewer than two
/// images, and for an image whose mean color is not finite.
template <class = when_called>
fitted_prior fit_color_prior(view<const float, host_space> images, pixel_scale pixels = {}, std::size_t most = 10000) {
  const std::size_t count = (std::min)(most, images.extent().images);
  require(count >= 2, "number of images to fit a prior to", count, "at least 2");
  const shape extent = images.extent();
  const std::vector<float> white(extent.per_image(), 1.0f);
  return detail::shaded_color({detail::mean_colors(images.images(0, count), pixels), extent.channels},
                              {white.data(), extent.with_images(1)});
}

/// Fits what a corruption leaves of one random color at time 1 (our own): C_1 u. The color u of an image is the one of
/// which C_1 leaves as much as of the image: the mean of C_1 x_0 over that of C_1 1 in each channel. It is the prior of
/// Daras et al. 2022 if C_1 leaves constant images unchanged. Throws `error` for fewer than two images, for a
/// corruption that leaves nothing of a channel, and for a mean color that is not finite.
template <class Be, class C>
fitted_prior fit_color_prior(Be& be, const C& corruption, view<const float, host_space> images, pixel_scale pixels = {},
                             std::size_t most = 10000) {
  const std::size_t count = (std::min)(most, images.extent().images), channels = images.extent().channels;
  require(count >= 2, "number of images to fit a prior to", count, "at least 2");
  const auto left_of = [&](std::vector<float>& host, const shape& extent) {
    auto clean = be.template make<float>(extent), gone = be.template make<float>(extent);
    be.upload(host.data(), clean.view());
    corruption.template signal<Be, float>(be, per_image<diffusion_time>{diffusion_time{1.0}}, clean.view(),
                                          gone.view());
    be.download(view_of<Be, const float>(gone.view()), host.data());
    return view<const float, host_space>{host.data(), extent};
  };
  const shape extent = images.extent().with_images(count);
  std::vector<float> white(extent.per_image(), 1.0f);
  auto host = vector_of<float>("elements of the images", {extent.images, extent.per_image()});
  for (std::size_t i = 0; i < host.size(); ++i) host[i] = pixels.gain * images[i] + pixels.offset;
  const auto shade = left_of(white, extent.with_images(1));
  const auto left = detail::mean_colors(shade, {});
  for (std::size_t c = 0; c < channels; ++c)
    if (!(left[c] > 0.0))
      reject("what the corruption leaves of channel " + detail::shown(c) + " of a white image", left[c], "positive");
  auto colors = detail::mean_colors(left_of(host, extent), {});
  for (std::size_t i = 0; i < colors.size(); ++i) colors[i] /= left[i % channels];
  return detail::shaded_color({colors, channels}, shade);
}

}  // namespace softscore::inline SOFTSCORE_ABI
