#pragma once

#include <softscore/core/config.hpp>
#include <softscore/corruption/linear_rate.hpp>
#include <softscore/corruption/preserving.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
struct preserved_variance {
  static double sigma(double w) { return preserving_sigma(w); }
  static double sigma_rate(double w, double level_rate) { return preserving_sigma_rate(w, level_rate); }
};
}  // namespace detail

/// The variance-preserving diffusion (Song et al. 2021): the rate beta(t) rises linearly from `rate_first` to
/// `rate_last`, B is its integral from 0 to t, a_t = exp(-B / 2) and sigma_t^2 = 1 - exp(-B). It is used with the
/// operator `scaling`, whose level is -log a_t. The rate of sigma is infinite at time 0, where sigma grows like the
/// root of the time.
using variance_preserving = linear_rate<detail::preserved_variance>;
static_assert(Schedule<variance_preserving> && detail::ends_of_linear_rate<variance_preserving>);

}  // namespace softscore::inline SOFTSCORE_ABI
