#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Noise alone, whose root of order `rho` rises linearly (Karras et al. 2022, Eq. 5): sigma(t) = (sigma_min^{1/rho} + t
/// (sigma_max^{1/rho} - sigma_min^{1/rho}))^rho. Equal steps of t are the paper's steps of sigma. With `rho` 1 and
/// `sigma_min` 0 it is the paper's sigma(t) = t, with time in units of `sigma_max`. The level is 0, so it is used with
/// `identity`.
struct karras_sigma {
  double sigma_min{0.002}, sigma_max{80.0}, rho{7.0};

  /// Throws `error` unless 0 <= sigma_min < sigma_max and rho >= 1.
  void check() const {
    require(std::isfinite(sigma_max), "sigma_max", sigma_max, "finite");
    require(sigma_min >= 0.0 && sigma_min < sigma_max, "sigma_min", sigma_min, "at least 0 and below sigma_max");
    require(rho >= 1.0 && std::isfinite(rho), "rho", rho, "at least 1 and finite");
  }

  constexpr level level_at(diffusion_time) const { return level{0.0}; }
  double sigma_at(diffusion_time t) const { return std::pow(root(t.value), rho); }
  constexpr double level_rate_at(diffusion_time) const { return 0.0; }
  double sigma_rate_at(diffusion_time t) const {
    return rho * std::pow(root(t.value), rho - 1.0) * (std::pow(sigma_max, 1.0 / rho) - std::pow(sigma_min, 1.0 / rho));
  }

 private:
  double root(double t) const {
    return (1.0 - t) * std::pow(sigma_min, 1.0 / rho) + t * std::pow(sigma_max, 1.0 / rho);
  }
};
static_assert(Schedule<karras_sigma>);

}  // namespace softscore::inline SOFTSCORE_ABI
