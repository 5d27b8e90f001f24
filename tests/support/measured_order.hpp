#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include <softscore/core/time_grid.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>

#include "affine_run.hpp"
#include "catch.hpp"
#include "gaussian_data.hpp"

// The order of a sampler in the number of steps, from time 1 to time 0.05 with the exact denoiser: mean and covariance
// are propagated through the sampler's own steps, so that there is no sampling error.

inline constexpr double first_time = 1.0, last_time = 0.05;

/// In place of a number of draws: a sampler that remembers nothing from step to step, whose steps can be measured one
/// by one.
inline constexpr std::size_t no_memory = static_cast<std::size_t>(-1);

/// The largest error of mean and covariance at the end of a uniform grid of as many steps, for a sampler that draws
/// `draws` times in a step.
template <class S, class C>
double distribution_error(const S& sampler, const C& corruption, std::size_t steps, std::size_t draws) {
  using namespace softscore;
  const gaussian_denoiser<C> exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const auto [mean, covariance] = exact.marginal(diffusion_time{first_time});
  const auto [wanted_mean, wanted_covariance] = exact.marginal(diffusion_time{last_time});
  const time_grid grid = uniform_grid(steps, first_time, last_time);
  const gaussian_distribution start{mean, covariance};
  const gaussian_distribution found =
      draws == no_memory ? distribution_after(sampler, corruption, exact, gaussian_image, grid, start)
                         : distribution_of_run(sampler, corruption, exact, gaussian_image, grid, start, draws);
  return std::max((found.mean - wanted_mean).cwiseAbs().maxCoeff(),
                  (found.covariance - wanted_covariance).cwiseAbs().maxCoeff());
}

/// The measured order between each two neighbors of four numbers of steps, from `first` on and `ratio` times as many
/// each, is within a tenth of the stated one.
template <class S, class C>
void check_orders(const S& sampler, const C& corruption, std::size_t first = 64, std::size_t draws = 0,
                  double ratio = 2.0) {
  double last_steps = 0, last = 0;
  for (int i = 0; i < 4; ++i) {
    const double steps = std::round(static_cast<double>(first) * std::pow(ratio, i));
    const double e = distribution_error(sampler, corruption, static_cast<std::size_t>(steps), draws);
    CAPTURE(steps, last, e);
    if (i > 0)
      CHECK_THAT(std::log(last / e) / std::log(steps / last_steps), Catch::Matchers::WithinRel(double{S::order}, 0.1));
    last_steps = steps;
    last = e;
  }
}
