#pragma once

#include <concepts>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/corruption/monotone.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A rule for lambda(t) = log(a_t^2 / sigma_t^2), falling with t, and its rate in t.
template <class R>
concept LogSnrRule = requires(const R rule, diffusion_time t) {
  { rule.log_snr_at(t) } -> std::same_as<double>;
  { rule.log_snr_rate_at(t) } -> std::same_as<double>;
};

/// The variance-preserving schedule with a given log-SNR lambda: a^2 = 1 / (1 + exp(-lambda)) and sigma^2 = 1 / (1 +
/// exp(lambda)) (Kingma et al. 2021). It is used with `scaling`. If lambda is finite at time 0, level and noise are
/// small there, not 0.
template <LogSnrRule R>
struct log_snr_schedule {
  R rule{};

  void check() const
    requires ChecksParameters<R>
  {
    rule.check();
  }
  level level_at(diffusion_time t) const {
    const double fallen = -rule.log_snr_at(t);
    return level{0.5 * (fallen > 700.0 ? fallen : std::log1p(std::exp(fallen)))};  // where exp overflows both are equal
  }
  double sigma_at(diffusion_time t) const { return 1.0 / std::sqrt(1.0 + std::exp(rule.log_snr_at(t))); }
  double level_rate_at(diffusion_time t) const {
    return -0.5 * rule.log_snr_rate_at(t) / (1.0 + std::exp(rule.log_snr_at(t)));
  }
  double sigma_rate_at(diffusion_time t) const {
    const double lambda = rule.log_snr_at(t);
    return -0.5 * rule.log_snr_rate_at(t) * sigma_at(t) / (1.0 + std::exp(-lambda));
  }
};

/// lambda falls linearly from `most` to `least` (Kingma et al. 2021; Salimans and Ho 2022 use 20 and -20).
struct linear_log_snr {
  double most{20.0}, least{-20.0};

  /// Throws `error` unless both are finite and `least` is below `most`.
  void check() const {
    require(std::isfinite(most), "most", most, "finite");
    require(least < most && std::isfinite(most - least), "least", least, "finite and below most");
  }
  constexpr double log_snr_at(diffusion_time t) const { return (1.0 - t.value) * most + t.value * least; }
  constexpr double log_snr_rate_at(diffusion_time) const { return least - most; }
};
static_assert(Schedule<log_snr_schedule<linear_log_snr>>);
static_assert(detail::falls_over_time([](diffusion_time t) { return linear_log_snr{}.log_snr_at(t); }));
static_assert(linear_log_snr{}.log_snr_at(diffusion_time{0.0}) == 20.0 &&
              linear_log_snr{}.log_snr_at(diffusion_time{1.0}) == -20.0);

/// lambda(t) = -log(exp(`first` + `growth` t^2) - 1), the log-SNR of DDPM in continuous time (Crowson and Pressman
/// 2021). It is that of `variance_preserving` with an integral B that begins at `first`.
struct ddpm_log_snr {
  double first{1e-4}, growth{10.0};

  /// Throws `error` unless both are above 0 and finite.
  void check() const {
    require(first > 0.0 && std::isfinite(first), "first", first, "above 0 and finite");
    require(growth > 0.0 && std::isfinite(growth), "growth", growth, "above 0 and finite");
  }
  double log_snr_at(diffusion_time t) const { return -std::log(std::expm1(integral(t.value))); }
  double log_snr_rate_at(diffusion_time t) const { return 2.0 * growth * t.value / std::expm1(-integral(t.value)); }

 private:
  constexpr double integral(double t) const { return first + growth * t * t; }
};
static_assert(Schedule<log_snr_schedule<ddpm_log_snr>>);

}  // namespace softscore::inline SOFTSCORE_ABI
