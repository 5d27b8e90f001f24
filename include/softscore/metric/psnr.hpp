#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/view.hpp>
#include <softscore/metric/finite.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// What every comparison of images with their truths requires.
template <class T>
void check_pairs(view<const T, host_space> images, view<const T, host_space> truth, double data_range) {
  require(truth.extent() == images.extent(), "the shape of the true images", truth.extent(),
          "that of the images, " + shown(images.extent()));
  require(images.extent().per_image() > 0, "the number of pixels of an image", images.extent().per_image(), "positive");
  require(data_range > 0.0 && std::isfinite(data_range), "data_range", data_range, "positive and finite");
  if (images.extent().images == 0) return;
  require_finite_rows(as_matrix(images), "image", "the images");
  require_finite_rows(as_matrix(truth), "image", "the true images");
}

}  // namespace detail

/// Returns the peak signal-to-noise ratio of each image in decibels, 10 log10(r^2 / mean (x - truth)^2) over all its
/// elements, where r, `data_range`, is the highest possible value minus the lowest (textbook). It is infinite for an
/// image that equals its truth. Throws `error` if the shapes differ, if r is not positive and finite, or if an image or
/// its mean squared error is not finite.
template <std::floating_point T = float>
std::vector<double> psnr(std::type_identity_t<view<const T, host_space>> images,
                         std::type_identity_t<view<const T, host_space>> truth, double data_range = 1.0) {
  detail::check_pairs<T>(images, truth, data_range);
  std::vector<double> ratios;
  ratios.reserve(images.extent().images);
  for (std::size_t k = 0; k < images.extent().images; ++k) {
    const auto x = images.image(k), y = truth.image(k);
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double off = static_cast<double>(x[i]) - static_cast<double>(y[i]);
      sum += off * off;
    }
    const double error = detail::finite_result("the mean squared error of image " + detail::shown(k),
                                               sum / static_cast<double>(x.size()));
    // A quotient of squares would overflow for a large range.
    ratios.push_back(error > 0.0 ? 20.0 * std::log10(data_range / std::sqrt(error))
                                 : std::numeric_limits<double>::infinity());
  }
  return ratios;
}

}  // namespace softscore::inline SOFTSCORE_ABI
