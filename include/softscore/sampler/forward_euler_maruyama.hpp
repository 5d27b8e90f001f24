#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Takes the place of E[x_0 given x_t] if the data are the clean images themselves: it returns them at every x_t.
template <class Be, class T>
struct known_images {
  view_of<Be, const T> clean;

  view_of<Be, const T> operator()(diffusion_time, view_of<Be, const T>) const { return clean; }
};

// Says in one sentence what a corruption lacks.
template <class C, class Be, class T>
constexpr bool has_forward_sde() {
  constexpr bool noisy = GaussianCorruption<C>, smooth = DifferentiableSignal<C, Be, T>;
  static_assert(noisy,
                "softscore: the forward SDE needs a score, and this corruption has none, for its noise is not normal");
  static_assert(!noisy || smooth,
                "softscore: the forward SDE needs the corruption's derivative in time, and its operator or its "
                "schedule has none");
  return noisy && smooth;
}

// Goes up the grid. `ByGain`: by dx = (a'/a) x dt + g dw; otherwise by dx = C' h dt + sqrt(d sigma^2 / dt) dw with h
// from `estimate(t, x)`.
template <bool ByGain, class Be, class C, class T, class Estimate>
void walk_forward(Be& be, const C& corruption, const time_grid& grid, view_of<Be, const T> clean,
                  const image_range& images, std::uint64_t seed, view_of<Be, T> x, const Estimate& estimate) {
  require(x.extent() == clean.extent(), "shape of x", x.extent(), "that of the clean images");
  require(images.count == clean.extent().images, "number of images", images.count, "that of the clean images");
  require(images.first <= image_range::most - images.count, "number of the first image", images.first,
          "so low that all are below 2^48");
  const std::size_t steps = grid.steps();
  const auto rate_at = [&](diffusion_time t) {  // a' / a
    if constexpr (ByGain) {
      const double rate = corruption.signal_gain_rate(t);
      return rate == 0.0 ? 0.0 : rate / corruption.signal_gain(t);
    } else {
      return 0.0;
    }
  };
  // The variance that a step adds. Where noise begins, sigma may rise like a root, so that its rate is infinite; there
  // the variance is the whole increase over the step. Rounding must not make it negative, and no step removes noise.
  const auto added_in = [&](const step_at& at) {
    const double sigma = corruption.sigma(at.s);
    if (sigma == 0.0) return std::pow(corruption.sigma(at.t), 2);
    const double raised = 2.0 * sigma * corruption.sigma_rate(at.s), shrunk = 2.0 * rate_at(at.s) * sigma * sigma;
    const double growth = raised - shrunk;
    require(!(growth < -1e-9 * (std::abs(raised) + std::abs(shrunk))), "variance of the noise that a step adds", growth,
            "at least 0");
    return growth < 0.0 ? 0.0 : growth * (at.t.value - at.s.value);
  };
  for (std::size_t i = 0; i < steps; ++i) {
    const double rate = rate_at(grid[i].s), added = added_in(grid[i]);
    require(std::isfinite(rate), "rate of the signal at a time of the grid", rate, "finite");
    require(std::isfinite(added), "variance of the noise that a step adds", added, "finite");
  }
  auto noise = be.template make<T>(x.extent()), drift = be.template make<T>(x.extent());
  const auto z = noise.view(), moved = drift.view();
  be.normal(noise_key{.seed = seed, .stream = noise_stream::start}, images, z);
  corruption.signal(be, per_image<diffusion_time>{grid.end()}, clean, moved);
  be.combine(x, term{1.0, moved}, term{corruption.sigma(grid.end()), z});
  for (std::size_t i = 0; i < steps; ++i) {
    const step_at at = grid[steps - 1 - i];
    const double length = at.t.value - at.s.value, added = std::sqrt(added_in(at));
    be.normal(noise_key{.seed = seed, .stream = noise_stream::sampling, .step = static_cast<std::uint32_t>(i)}, images,
              z);
    if constexpr (ByGain) {
      be.combine(x, term{1.0 + length * rate_at(at.s), x}, term{added, z});
    } else {
      corruption.signal_derivative(be, per_image<diffusion_time>{at.s}, estimate(at.s, x), moved);
      be.combine(x, term{1.0, x}, term{length, moved}, term{added, z});
    }
  }
}

}  // namespace detail

/// Draws x at the grid's first time from clean images by the Euler-Maruyama method on the forward SDE (Galerne 2024).
/// It starts from x_t = C_t x_0 + sigma_t z at the grid's last time and goes up the grid: x_t = x_s + (t - s) drift + g
/// sqrt(t - s) z. If C_t = a_t I the SDE is that of the field, with drift (a'/a) x and g^2 = d sigma^2 / dt - 2 (a'/a)
/// sigma^2 (Song et al. 2021). Otherwise it is that of Daras et al. 2022, Eq. 13, with the clean image as the only
/// data: drift C'_t x_0 and g^2 = d sigma^2 / dt. Given x_0, both have mean C_t x_0 and covariance sigma_t^2 I in the
/// limit, with an error of order 1 in the steps; `corrupt` draws from that distribution directly, for one time. The
/// result is stored into `x`; `images` says which images of a run they are, so that the noise does not depend on
/// batches. A run back from x needs another seed, because samplers draw from the same streams. Throws `error` for
/// shapes or counts that differ, and if the SDE's coefficients are not finite at a time from which a step starts, for
/// example where no signal is left, or if its noise falls.
template <class Be, class C, class T>
void forward_euler_maruyama(Be& be, const C& corruption, const time_grid& grid, in_of<Be, T> clean,
                            const image_range& images, std::uint64_t seed, out_of<Be, T> x) {
  if constexpr (detail::has_forward_sde<C, Be, T>())
    detail::walk_forward<DifferentiableScalarSignal<C>, Be, C, T>(be, corruption, grid, clean, images, seed, x,
                                                                  detail::known_images<Be, T>{clean});
}

/// The same on the SDE of Daras et al. 2022, Eq. 13, for all data, under every kind of signal: the drift is C'_t E[x_0
/// given x_t], which the denoiser estimates. It forgets x_0. With the exact estimate, and clean images drawn from the
/// data, x has the marginal distribution of x_t. It takes one evaluation per step.
template <class Be, class C, class D, class T>
void forward_euler_maruyama(Be& be, const C& corruption, const D& denoiser, const time_grid& grid, in_of<Be, T> clean,
                            const image_range& images, std::uint64_t seed, out_of<Be, T> x) {
  if constexpr (detail::has_forward_sde<C, Be, T>()) {
    auto h = be.template make<T>(x.extent());
    auto memory = denoiser.template workspace<T>(be, x.extent());
    const auto estimate = [&](diffusion_time t, view_of<Be, const T> at) {
      denoiser.estimate(be, condition{images, t}, at, h.view(), memory);
      return view_of<Be, const T>{h.view()};
    };
    detail::walk_forward<false, Be, C, T>(be, corruption, grid, clean, images, seed, x, estimate);
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
