#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/view.hpp>
#include <softscore/metric/psnr.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

inline constexpr std::size_t ssim_window = 11;

// One direction of the window: a Gaussian of standard deviation 1.5 pixels whose weights sum to 1.
inline std::array<double, ssim_window> ssim_weights() {
  std::array<double, ssim_window> weights{};
  double sum = 0.0;
  for (std::size_t i = 0; i < ssim_window; ++i) {
    const double off = (static_cast<double>(i) - 5.0) / 1.5;
    sum += weights[i] = std::exp(-0.5 * off * off);
  }
  for (double& w : weights) w /= sum;
  return weights;
}

// The mean of a plane under the window, at the (height - 10) x (width - 10) positions where it fits inside. `rows`
// holds the result of the first direction.
inline void ssim_means(std::span<const double> plane, std::size_t height, std::size_t width,
                       const std::array<double, ssim_window>& weights, std::vector<double>& rows,
                       std::vector<double>& means) {
  const std::size_t columns = width - ssim_window + 1, places = height - ssim_window + 1;
  rows.assign(height * columns, 0.0);
  means.assign(places * columns, 0.0);
  for (std::size_t r = 0; r < height; ++r)
    for (std::size_t i = 0; i < ssim_window; ++i)
      for (std::size_t c = 0; c < columns; ++c) rows[r * columns + c] += weights[i] * plane[r * width + c + i];
  for (std::size_t r = 0; r < places; ++r)
    for (std::size_t i = 0; i < ssim_window; ++i)
      for (std::size_t c = 0; c < columns; ++c) means[r * columns + c] += weights[i] * rows[(r + i) * columns + c];
}

}  // namespace detail

/// Returns the structural similarity of each image and its truth. It is at most 1, and equal images have 1. It is the
/// mean over channels and positions of (2 m_x m_y + c1) (2 s_xy + c2) / ((m_x^2 + m_y^2 + c1) (s_x^2 + s_y^2 + c2)).
/// Means, variances and the covariance are those under a Gaussian window of 11 x 11 pixels and standard deviation 1.5,
/// at the positions where it fits inside the image; c1 = (0.01 r)^2 and c2 = (0.03 r)^2, where r, `data_range`, is the
/// highest possible value minus the lowest (Wang et al. 2004, Section III). Throws `error` if the shapes differ, the
/// images are smaller than the window, r is not positive and finite, or an image or its similarity is not finite.
template <std::floating_point T = float>
std::vector<double> ssim(std::type_identity_t<view<const T, host_space>> images,
                         std::type_identity_t<view<const T, host_space>> truth, double data_range = 1.0) {
  detail::check_pairs<T>(images, truth, data_range);
  const shape all = images.extent();
  require(all.height >= detail::ssim_window && all.width >= detail::ssim_window, "the shape of the images", all,
          "at least 11 pixels high and wide, the window of SSIM");
  const auto weights = detail::ssim_weights();
  const double c1 = (0.01 * data_range) * (0.01 * data_range), c2 = (0.03 * data_range) * (0.03 * data_range);
  // The planes x, y, x^2, y^2 and x y, and their means under the window.
  std::array<std::vector<double>, 5> planes, means;
  for (auto& plane : planes) plane.resize(all.plane());
  std::vector<double> rows, similarities;
  similarities.reserve(all.images);
  for (std::size_t k = 0; k < all.images; ++k) {
    double sum = 0.0;
    for (std::size_t channel = 0; channel < all.channels; ++channel) {
      const auto x = images.image(k).subspan(channel * all.plane(), all.plane()),
                 y = truth.image(k).subspan(channel * all.plane(), all.plane());
      for (std::size_t i = 0; i < all.plane(); ++i) {
        const double a = static_cast<double>(x[i]), b = static_cast<double>(y[i]);
        planes[0][i] = a;
        planes[1][i] = b;
        planes[2][i] = a * a;
        planes[3][i] = b * b;
        planes[4][i] = a * b;
      }
      for (std::size_t p = 0; p < planes.size(); ++p)
        detail::ssim_means(planes[p], all.height, all.width, weights, rows, means[p]);
      for (std::size_t i = 0; i < means[0].size(); ++i) {
        const double a = means[0][i], b = means[1][i], ab = a * b, squares = a * a + b * b;
        sum += (2.0 * ab + c1) * (2.0 * (means[4][i] - ab) + c2) /
               ((squares + c1) * (means[2][i] + means[3][i] - squares + c2));
      }
    }
    similarities.push_back(detail::finite_result("the similarity of image " + detail::shown(k),
                                                 sum / static_cast<double>(all.channels * means[0].size())));
  }
  return similarities;
}

}  // namespace softscore::inline SOFTSCORE_ABI
