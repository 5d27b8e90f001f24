#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/corruption/linear_rate.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
struct sub_preserved_variance {
  static double sigma(double w) { return -std::expm1(-2.0 * w); }
  static double sigma_rate(double w, double level_rate) { return 2.0 * std::exp(-2.0 * w) * level_rate; }
};
}  // namespace detail

/// The diffusion whose variance stays below that of `variance_preserving` (Song et al. 2021, Eq. 29): it has the same
/// rate beta(t) from `rate_first` to `rate_last` with integral B, a_t = exp(-B / 2), and sigma_t = 1 - exp(-B). It is
/// used with `scaling`.
using sub_variance_preserving = linear_rate<detail::sub_preserved_variance>;
static_assert(Schedule<sub_variance_preserving> && detail::ends_of_linear_rate<sub_variance_preserving>);

}  // namespace softscore::inline SOFTSCORE_ABI
