#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/concept.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/tabulated.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Returns the mean over images of |(I - C_w) x|^2 at each level. Throws `error` if there are no images, and for the
/// first image and level at which the value is not finite.
template <HostBackend Be, LinearOperator Op>
std::vector<double> damages_of(Be& be, const Op& op, view<const float, host_space> images,
                               const std::vector<double>& levels) {
  require(images.extent().images >= 1, "number of images", images.extent().images, "at least 1");
  auto clean = be.template make<float>(images.extent()), lost = be.template make<float>(images.extent());
  be.combine(clean.view(), term<float, host_space>{1.0, images});
  std::vector<double> damages, squares(images.extent().images);
  for (const double w : levels) {
    degradation<Op>::apply(op, be, per_image<level>{level{w}}, view<const float, host_space>(clean.view()),
                           lost.view());
    be.combine(lost.view(), term{1.0, clean.view()}, term{-1.0, lost.view()});
    be.dot(lost.view(), lost.view(), squares.data());
    double sum = 0.0;
    for (std::size_t i = 0; i < squares.size(); ++i) {
      if (!std::isfinite(squares[i]))
        reject("the damage to image " + detail::shown(i) + " at level " + detail::shown(w), squares[i], "finite");
      sum += squares[i];
    }
    damages.push_back(sum / static_cast<double>(squares.size()));
  }
  return damages;
}

/// The baseline that a schedule search is compared with (Daras et al. 2022, Eq. 55). The level rises so that the mean
/// squared error of x_t follows that of a reference that only adds noise: [E|(I - C_w) x_0|^2 + d sigma^2] / [same at
/// time 1] = sigma'_t^2 / sigma'_1^2. This is solved for the time of each level, where it is exact; between these times
/// the level is linear. Where the noise alone already exceeds the reference, the level is the first one. `sigma` is the
/// constant noise of the result. Throws `error` unless the levels rise from the first to a last one that does damage.
template <HostBackend Be, LinearOperator Op>
tabulated matched_mse(Be& be, const Op& op, view<const float, host_space> images, const std::vector<double>& levels,
                      double sigma, const variance_exploding& reference) {
  reference.check();
  require(levels.size() >= 2, "number of levels", levels.size(), "at least 2");
  require(sigma >= 0.0 && std::isfinite(sigma), "sigma", sigma, "at least 0 and finite");
  require(reference.sigma_min < reference.sigma_max, "sigma_min of the reference", reference.sigma_min,
          "below sigma_max");
  const auto damages = damages_of(be, op, images, levels);
  const double noise = static_cast<double>(images.extent().per_image()) * sigma * sigma;
  const double last = damages.back() + noise;
  require(damages.back() > damages.front(), "damage at the last level", damages.back(), "above that at the first");
  std::vector<schedule_point> points{{0.0, levels.front(), sigma}};
  // sigma'_t^2 / sigma'_1^2 = ratio at t = 1 + log(ratio) / (2 log(sigma'_max / sigma'_min)).
  const double span = 2.0 * std::log(reference.sigma_max / reference.sigma_min);
  for (std::size_t k = 0; k < levels.size(); ++k) {
    const double time = k + 1 == levels.size() ? 1.0 : 1.0 + std::log((damages[k] + noise) / last) / span;
    if (time > points.back().time)
      points.push_back({time, levels[k], sigma});
    else if (time == points.back().time && time > 0.0)
      points.back().level = levels[k];  // a level that does no more damage than the one before it
  }
  return tabulated{std::move(points)};
}

/// Returns `count` levels of that baseline at equal steps of the reference's time, from the last time at which the
/// first level already exceeds the reference, to time 1. `after_noise` makes a schedule of them in which the noise has
/// its own stage and the damage grows in all the remaining time. Throws `error` as `matched_mse` does, and unless count
/// >= 2.
template <HostBackend Be, LinearOperator Op>
std::vector<double> matched_mse_levels(Be& be, const Op& op, view<const float, host_space> images,
                                       const std::vector<double>& levels, double sigma,
                                       const variance_exploding& reference, std::size_t count) {
  require(count >= 2, "number of levels of the baseline", count, "at least 2");
  const tabulated matched = matched_mse(be, op, images, levels, sigma, reference);
  const auto damages = damages_of(be, op, images, {levels.front(), levels.back()});
  const double noise = static_cast<double>(images.extent().per_image()) * sigma * sigma;
  // The time at which the reference's error is that of the first level, as in `matched_mse`.
  const double begin = (std::max)(0.0, 1.0 + std::log((damages[0] + noise) / (damages[1] + noise)) /
                                                 (2.0 * std::log(reference.sigma_max / reference.sigma_min)));
  auto found = vector_of<double>("number of levels of the baseline", {count});
  for (std::size_t i = 0; i < count; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(count - 1);
    found[i] = matched.level_at(diffusion_time{(std::min)(1.0, begin + (1.0 - begin) * part)}).value;
  }
  return found;
}

}  // namespace softscore::inline SOFTSCORE_ABI
