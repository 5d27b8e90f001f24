#pragma once

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/parameterization.hpp>

namespace softscore::inline SOFTSCORE_ABI {

// Conversions from an estimate h of x_0, and the x_t that it was made from, to what networks are trained to predict,
// and back (Salimans and Ho 2022; Daras et al. 2022, Eq. 16). All arrays have the same shape, batch x channels x height
// x width, and all images the same time. The result may not overlap with h.

/// Stores the noise eps = (x_t - C_t h) / sigma_t that corresponds to h. Throws `error` where sigma_t is 0, since x_t
/// then says nothing about eps.
template <class Be, GaussianCorruption C, Scalar T>
void epsilon_from_clean(Be& be, const C& corruption, diffusion_time t, in_of<Be, T> x, in_of<Be, T> h,
                        out_of<Be, T> out) {
  const double sigma = corruption.sigma(t);
  require(sigma > 0.0, "sigma where the noise is asked for", sigma, "above 0");
  corruption.template signal<Be, T>(be, t, h, out);
  be.combine(out, term_of<Be, T>{1.0 / sigma, x}, term{-1.0 / sigma, out});
}

/// Stores the score (C_t h - x_t) / sigma_t^2 that corresponds to h. Throws `error` where sigma_t is 0, since the
/// distribution of x_t may then have no density.
template <class Be, GaussianCorruption C, Scalar T>
void score_from_clean(Be& be, const C& corruption, diffusion_time t, in_of<Be, T> x, in_of<Be, T> h,
                      out_of<Be, T> out) {
  const double sigma = corruption.sigma(t);
  require(sigma > 0.0, "sigma where the score is asked for", sigma, "above 0");
  corruption.template signal<Be, T>(be, t, h, out);
  const double scale = 1.0 / (sigma * sigma);
  be.combine(out, term{scale, out}, term_of<Be, T>{-scale, x});
}

/// Stores the velocity v = a_t eps - sigma_t h that corresponds to h. It is (a_t x_t - h) / sigma_t for C = a I with
/// a^2 + sigma^2 = 1. Throws `error` where that sum is not 1 or sigma_t is 0.
template <class Be, ScalarGaussianCorruption C, Scalar T>
void velocity_from_clean(Be& be, const C& corruption, diffusion_time t, in_of<Be, T> x, in_of<Be, T> h,
                         out_of<Be, T> out) {
  const double a = corruption.signal_gain(t), sigma = corruption.sigma(t), sum = a * a + sigma * sigma;
  require(sum > 1.0 - 1e-9 && sum < 1.0 + 1e-9, "a^2 + sigma^2 where the velocity is asked for", sum, "1");
  require(sigma > 0.0, "sigma where the velocity is asked for", sigma, "above 0");
  using one = term_of<Be, T>;
  be.combine(out, one{a / sigma, x}, one{-1.0 / sigma, h});
}

/// Stores the estimate h that corresponds to phi. `parameterization` says what phi means: `epsilon_parameterization`,
/// `velocity_parameterization`, `score_parameterization`, `residual_parameterization` or `clean_parameterization`.
/// Throws `error` where phi says nothing about x_0, such as eps where no signal is left.
template <class Be, Parameterization L, Scalar T>
void clean_from(Be& be, const L& parameterization, diffusion_time t, in_of<Be, T> x, in_of<Be, T> phi,
                out_of<Be, T> out) {
  const auto [of_input, of_output] = parameterization.weights(t);
  using one = term_of<Be, T>;
  be.combine(out, one{of_input, x}, one{of_output, phi});
}

}  // namespace softscore::inline SOFTSCORE_ABI
