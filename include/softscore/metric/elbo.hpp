#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <type_traits>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/pixel_scale.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/corruption/ancestral_variance.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/metric/finite.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Converts nats of a whole image to bits per element. Throws `error` if there are no elements, and for nats that are
/// not finite.
inline double bits_per_dimension(double nats, std::size_t elements) {
  require(elements >= 1, "elements", elements, "at least 1");
  require(std::isfinite(nats), "nats", nats, "finite");
  return nats / (static_cast<double>(elements) * std::numbers::ln2);
}

/// The three terms of the negative evidence lower bound of every image, in nats (Ho et al. 2020, Eq. 5).
struct elbo_terms {
  std::vector<double> prior;           ///< KL(q(x_T given x_0) || p(x_T))
  std::vector<double> transitions;     ///< the sum of KL(q(x_s given x_t, x_0) || p(x_s given x_t)) over steps to s > 0
  std::vector<double> reconstruction;  ///< -log p(x_0 given x_1)

  /// -ELBO of image i: its expectation is at least the negative log density of x_0 under the model.
  double total(std::size_t i) const { return prior[i] + transitions[i] + reconstruction[i]; }
};

}  // namespace softscore::inline SOFTSCORE_ABI

namespace softscore {  // shared

/// Options of `elbo`.
struct elbo_options {
  /// The variance of the model's steps: beta, or beta tilde. With both, the step to time 0 has beta.
  ancestral_variance variance{ancestral_variance::fixed_large};
  /// p(x_T) is N(0, prior_variance I). Use 1 for a preserved variance, sigma_T^2 for exploding noise.
  double prior_variance{1.0};
  std::uint64_t seed{0};   ///< of the one z, per step and image, that estimates the expectation
  std::uint64_t first{0};  ///< number of the first image
  conditioning given{};    ///< what is known about the images
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Estimates the negative evidence lower bound, for the images `clean`, of the chain that `grid` makes of the
/// corruption (Ho et al. 2020, Eq. 5; Kim and Lee 2024, Eq. 28 to 31). The model's steps have the mean of the posterior
/// q(x_s given x_t, x_0 = h) (Ho et al. 2020, Eq. 7). One z is drawn per image and step, so the sum is an unbiased
/// estimate. For N(0, I) data, the exact estimate and variance beta it is the negative log density itself (own
/// derivation). The density is that of the images as they are given; for pixels with 256 values spread over a width r,
/// the bits of a pixel are bits_per_dimension + log2(256 / r). Throws `error` unless the grid ends at time 0 and the
/// prior variance is above 0 and finite; if the noise does not grow in a step; for conditions that are not one per
/// image or that the denoiser does not accept; and for the first image that is not finite or has no finite bound.
template <class Be, class C, class D, class T>
elbo_terms elbo(Be& be, const C& corruption, const D& denoiser, const time_grid& grid, out_of<Be, T> clean,
                const elbo_options& options = {}) {
  static_assert(GaussianCorruption<C> && ScalarSignal<C>,
                "softscore: the bound needs normal noise and a signal that is a number times the image, and this "
                "corruption lacks one of them");
  using value = std::remove_const_t<T>;
  require(grid.end().value == 0.0, "last time of the grid", grid.end().value, "0");
  require(options.prior_variance > 0.0 && std::isfinite(options.prior_variance), "prior_variance",
          options.prior_variance, "above 0 and finite");
  if constexpr (ChecksTimes<D>)
    for (std::size_t i = 0; i < grid.steps(); ++i) denoiser.check(grid[i].t);
  const shape extent = clean.extent();
  const image_range images{options.first, extent.images};
  const auto d = static_cast<double>(extent.per_image());
  require_one_per_image(options.given, extent);
  if constexpr (ChecksBatch<D>) denoiser.check(options.given, extent);
  auto noise = be.template make<value>(extent), noisy = be.template make<value>(extent),
       h = be.template make<value>(extent);
  auto workspace = denoiser.template workspace<value>(be, extent);
  std::vector<double> square(extent.images);
  elbo_terms terms{std::vector<double>(extent.images), std::vector<double>(extent.images),
                   std::vector<double>(extent.images)};

  const double a_last = corruption.signal_gain(grid.start()), sigma_last = corruption.sigma(grid.start());
  require(sigma_last > 0.0, "sigma at the grid's start", sigma_last, "above 0");
  be.dot(clean, clean, square.data());
  detail::require_finite_values(be, clean, options.first, "the sum of squares", square);
  for (std::size_t i = 0; i < extent.images; ++i)
    terms.prior[i] = 0.5 * ((a_last * a_last * square[i] + d * sigma_last * sigma_last) / options.prior_variance - d +
                            d * std::log(options.prior_variance / (sigma_last * sigma_last)));

  for (std::size_t k = 0; k < grid.steps(); ++k) {
    const step_at at = grid[k];
    const double a_t = corruption.signal_gain(at.t), sigma_t = corruption.sigma(at.t);
    be.normal(noise_key{options.seed, noise_stream::test, static_cast<std::uint32_t>(k)}, images, noise.view());
    corruption.corrupt(be, per_image<diffusion_time>{at.t}, clean, noise.view(), noisy.view());
    denoiser.estimate(be, condition{images, at.t, options.given}, view_of<Be, const value>(noisy.view()), h.view(),
                      workspace);
    be.combine(h.view(), term_of<Be, value>{1.0, clean}, term{-1.0, h.view()});
    be.dot(h.view(), h.view(), square.data());
    if (at.last()) {
      // x_0 itself: C_0 = I without noise, for any schedule.
      const double variance = sigma_t * sigma_t;
      for (std::size_t i = 0; i < extent.images; ++i)
        terms.reconstruction[i] = 0.5 * (square[i] / variance + d * std::log(2.0 * std::numbers::pi * variance));
      continue;
    }
    const double a_s = corruption.signal_gain(at.s), sigma_s = corruption.sigma(at.s), g = a_t / a_s;
    const double beta = (sigma_t - g * sigma_s) * (sigma_t + g * sigma_s);
    require(sigma_s > 0.0, "sigma at a time of the grid", sigma_s, "above 0");
    require(beta > 0.0, "noise added between two times of the grid", beta, "above 0");
    const double tilde = beta * (sigma_s / sigma_t) * (sigma_s / sigma_t), of_clean = a_s * beta / (sigma_t * sigma_t);
    const double variance = options.variance == ancestral_variance::fixed_large ? beta : tilde;
    for (std::size_t i = 0; i < extent.images; ++i)
      terms.transitions[i] +=
          0.5 * ((of_clean * of_clean * square[i] + d * tilde) / variance - d + d * std::log(variance / tilde));
  }
  for (std::size_t i = 0; i < extent.images; ++i) square[i] = terms.total(i);
  detail::require_finite_values(be, clean, options.first, "the negative evidence lower bound", square);
  return terms;
}

/// The negative evidence lower bound in bits per element, the mean over a set of images, and the cost for each.
struct elbo_bits {
  double prior{}, transitions{}, reconstruction{};
  std::size_t nfe{};

  double total() const { return prior + transitions + reconstruction; }
};

}  // namespace softscore::inline SOFTSCORE_ABI

namespace softscore {  // shared

/// Options of `elbo_in_bits`.
struct elbo_bits_options {
  elbo_options chain{};
  pixel_scale pixels{};        ///< from the range of the images to the one that the denoiser was trained in
  std::size_t batch_size{64};  ///< images that go through the denoiser together; the result does not depend on it
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Computes the bits per dimension of images under any denoiser, for instance a trained network: `elbo` over batches of
/// images on the host, in their own number type. It is the bound for the density of the images as they are given,
/// before `pixels` scales them; pixels with 256 values in [0, 1] have 8 bits more. Throws `error` as `elbo` does, if
/// there are no images, for a batch of 0 and for a scale that is not above 0.
template <class Be, class C, class D, class T>
elbo_bits elbo_in_bits(Be& be, const C& corruption, const D& denoiser, const time_grid& grid,
                       view<T, host_space> images, const elbo_bits_options& options = {}) {
  using value = std::remove_const_t<T>;
  const shape extent = images.extent();
  require(extent.images >= 1, "images", extent.images, "at least 1");
  require(options.batch_size >= 1, "batch_size", options.batch_size, "at least 1");
  require(options.pixels.gain > 0.0f && std::isfinite(options.pixels.gain), "gain of the pixels' scale",
          options.pixels.gain, "above 0 and finite");
  require(std::isfinite(options.pixels.offset), "offset of the pixels' scale", options.pixels.offset, "finite");
  const auto gain = static_cast<value>(options.pixels.gain), offset = static_cast<value>(options.pixels.offset);
  require_one_per_image(options.chain.given, extent);
  const std::size_t most = (std::min)(options.batch_size, extent.images), d = extent.per_image();
  auto host = vector_of<value>("elements of a batch", {most, d});
  auto clean = be.template make<value>(extent.with_images(most));
  elbo_bits sum;
  for (std::size_t first = 0; first < extent.images; first += most) {
    const std::size_t count = (std::min)(most, extent.images - first);
    for (std::size_t k = 0; k < count * d; ++k) host[k] = gain * images[first * d + k] + offset;
    const auto part = clean.view().images(0, count);
    be.upload(host.data(), part);
    elbo_options chain = options.chain;
    chain.first += first;
    chain.given = options.chain.given.images(first, count);
    const elbo_terms terms = elbo(be, corruption, denoiser, grid, part, chain);
    for (std::size_t i = 0; i < count; ++i) {
      sum.prior += terms.prior[i];
      sum.transitions += terms.transitions[i];
      sum.reconstruction += terms.reconstruction[i];
    }
  }
  const auto in_bits = [&](double nats) { return bits_per_dimension(nats, d) / static_cast<double>(extent.images); };
  return {in_bits(sum.prior), in_bits(sum.transitions),
          in_bits(sum.reconstruction) - std::log2(static_cast<double>(options.pixels.gain)),
          grid.steps() * static_cast<std::size_t>(D::evaluations)};
}

}  // namespace softscore::inline SOFTSCORE_ABI
