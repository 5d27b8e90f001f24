#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore {  // shared

/// The forms of a moving average of the parameters; the functions below say which share of its old value each one
/// keeps.
enum class ema_form : std::uint8_t { none, warmup, half_life, inverse_gamma, power };

/// The share of its old value that a moving average of the parameters keeps at each step. It is a function of the
/// number of the step and of the images in a batch. The functions below make one.
struct ema_schedule {
  ema_form form{ema_form::none};
  double most{1.0};       ///< the largest share, for the forms `warmup` and `inverse_gamma`
  double half_life{};     ///< in images, for the form `half_life`
  double ramp{};          ///< for the form `half_life`; 0 for none
  double inv_gamma{1.0};  ///< for the form of this name
  double power{};         ///< the exponent, for the forms `inverse_gamma` and `power`

  /// Whether there is an average.
  SOFTSCORE_SHARED explicit operator bool() const { return form != ema_form::none; }

  /// The share that step `number` (from 1 on) keeps, with `batch` images in each step.
  SOFTSCORE_SHARED double keep(std::uint64_t number, std::size_t batch) const {
    const auto n = static_cast<double>(number), images = static_cast<double>(batch);
    switch (form) {
      case ema_form::none:
        return 0.0;
      case ema_form::warmup:
        return (std::min)(most, (1.0 + n) / (10.0 + n));
      case ema_form::half_life: {
        const double seen = (n - 1.0) * images, half = ramp > 0.0 ? (std::min)(half_life, ramp * seen) : half_life;
        return std::pow(0.5, images / (std::max)(half, 1e-8));
      }
      case ema_form::inverse_gamma:
        return (std::min)(most, 1.0 - std::pow(1.0 + (n - 1.0) / inv_gamma, -power));
      case ema_form::power:
        return std::pow(1.0 - 1.0 / n, power);
    }
    return 0.0;
  }

  /// Throws `error` for the first invalid number.
  SOFTSCORE_SHARED void check() const {
    if (form == ema_form::warmup || form == ema_form::inverse_gamma)
      require(most > 0.0 && most <= 1.0, "largest share that the average keeps", most, "above 0 and at most 1");
    if (form == ema_form::half_life) {
      require(std::isfinite(half_life) && half_life > 0.0, "half-life of the average in images", half_life, "above 0");
      require(std::isfinite(ramp) && ramp >= 0.0, "ramp of the average's half-life", ramp, "at least 0");
    }
    if (form == ema_form::inverse_gamma)
      require(std::isfinite(inv_gamma) && inv_gamma > 0.0, "inv_gamma of the average", inv_gamma, "above 0");
    if (form == ema_form::inverse_gamma || form == ema_form::power)
      require(std::isfinite(power) && power > 0.0, "power of the average", power, "above 0");
  }
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Keeps min(most, (1 + n) / (10 + n)) at step n: the average soon forgets the untrained parameters
/// (docs/decisions/0007).
inline ema_schedule warmed_ema(double most) { return {.form = ema_form::warmup, .most = most}; }

/// Halves the weight of a step every `images` images. With a `ramp` above 0 it halves the weight every `ramp` times the
/// images seen before the step, if these are fewer (0.05 in the code of Karras et al. 2022).
inline ema_schedule half_life_ema(double images, double ramp = 0.0) {
  return {.form = ema_form::half_life, .half_life = images, .ramp = ramp};
}

/// Keeps min(most, 1 - (1 + (n - 1) / inv_gamma)^-power) at step n, like diffusers' EMAModel with use_ema_warmup.
inline ema_schedule inverse_gamma_ema(double inv_gamma = 1.0, double power = 2.0 / 3.0, double most = 0.9999) {
  return {.form = ema_form::inverse_gamma, .most = most, .inv_gamma = inv_gamma, .power = power};
}

/// Keeps (1 - 1 / n)^(gamma + 1) at step n, so that step k has the weight k^gamma (Karras et al. 2024, Section 3.1).
/// `relative_width` is the standard deviation of these weights over the length of training, sigma_rel, which is 0.1 for
/// gamma = 6.94. Throws `error` unless it is above 0 and at most that of gamma = 0, 0.2886.
template <class = when_called>
ema_schedule power_ema(double relative_width) {
  const auto width = [](double g) { return std::sqrt((g + 1.0) / (g + 3.0)) / (g + 2.0); };
  require(relative_width > 0.0 && relative_width <= width(0.0), "relative width of the average", relative_width,
          "above 0 and at most 0.2886");
  double low = 0.0, high = 1.0 / relative_width;  // the width falls from gamma = 0 on, and is below 1 / gamma
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (low + high);
    (width(middle) > relative_width ? low : high) = middle;
  }
  return {.form = ema_form::power, .power = 0.5 * (low + high) + 1.0};
}

}  // namespace softscore::inline SOFTSCORE_ABI
