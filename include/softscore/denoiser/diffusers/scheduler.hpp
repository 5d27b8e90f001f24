#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/pixel_scale.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/corruption/ancestral_variance.hpp>
#include <softscore/corruption/beta_table.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/spacing.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/diffusers/chain.hpp>
#include <softscore/denoiser/pixel_range.hpp>
#include <softscore/operator/scaling.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The two schedulers of diffusers whose settings are read: DDPMScheduler and DDIMScheduler.
enum class scheduler_kind { ddpm, ddim };

/// How diffusers makes the betas of a chain (`beta_schedule`); `trained` means that they are listed (`trained_betas`).
enum class beta_rule { linear, scaled_linear, squaredcos_cap_v2, sigmoid, trained };

/// How the indices of a run are chosen among those of the chain; see corruption/spacing.hpp.
enum class timestep_spacing { leading, linspace, trailing };

/// The settings of `dynamic_thresholding` in diffusers.
struct percentile_clipping {
  double ratio{0.995};  ///< dynamic_thresholding_ratio: the percentile as a share of 1
  double most{1.0};     ///< sample_max_value: the largest threshold
};

/// The contents of a scheduler_config.json of diffusers, with its defaults: the chain of a model, what its network
/// predicts, and how images are drawn.
struct diffusers_scheduler {
  scheduler_kind kind{scheduler_kind::ddpm};
  beta_rule schedule{beta_rule::linear};  ///< beta_schedule
  std::size_t num_train_timesteps{1000};  ///< the steps of the chain
  double beta_start{1e-4}, beta_end{0.02};
  std::vector<double> trained_betas{};       ///< of beta_rule::trained, from the least noisy on
  bool rescale_betas_zero_snr{};             ///< `zero_terminal_snr`
  prediction predicts{prediction::epsilon};  ///< prediction_type: epsilon, clean ("sample") or velocity
  /// The range that the estimate of the clean image is clipped to: clip_sample with clip_sample_range. Under DDIM use
  /// `clipped_ddim`, which clips and keeps the network's noise; under `ddpm` use `static_thresholding`.
  std::optional<pixel_range> clipping{pixel_range{}};
  std::optional<percentile_clipping> thresholding{};  ///< instead of `clipping`: dynamic thresholding, under `ddpm`
  ancestral_variance variance{ancestral_variance::fixed_small};  ///< variance_type
  timestep_spacing spacing{timestep_spacing::leading};
  std::size_t steps_offset{};  ///< added to the indices of timestep_spacing "leading"
  /// From [0, 1] to the images of the model, [-1, 1]. Not in the file: all pipelines of diffusers use it.
  pixel_scale pixels{2.0f, -1.0f};

  /// The steps of the chain.
  std::size_t chain_steps() const {
    return schedule == beta_rule::trained ? trained_betas.size() : num_train_timesteps;
  }

  /// The chain, from float32 betas with products in float32, as in diffusers. Throws `error` for betas that are not at
  /// least 0 and below 1, for a chain without steps, and for one whose signal is lost before its end.
  template <class = when_called>
  beta_table table() const {
    require(chain_steps() >= 1, "num_train_timesteps", chain_steps(), "at least 1");
    if (schedule != beta_rule::trained) {
      require(beta_start > 0.0 && beta_start < 1.0, "beta_start", beta_start, "above 0 and below 1");
      require(beta_end > 0.0 && beta_end < 1.0, "beta_end", beta_end, "above 0 and below 1");
    }
    std::vector<float> all = betas();
    if (rescale_betas_zero_snr) {
      require(all.size() >= 2, "num_train_timesteps", all.size(), "at least 2 where the last signal is moved to 0");
      detail::end_without_signal(all);
    }
    return detail::table_of_floats(all);
  }
  /// x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps at time (index + 1) / T.
  template <class = when_called>
  corruption<scaling, beta_table> noising() const {
    return {scaling{}, table()};
  }
  /// The times of a run of `steps` steps, down to the clean image; a step always ends where the next one begins. Throws
  /// `error` for no steps, for more steps than the chain has, and if the offset leads outside the chain.
  template <class = when_called>
  time_grid grid(std::size_t steps) const {
    switch (spacing) {
      case timestep_spacing::linspace:
        return linspace_grid(chain_steps(), steps);
      case timestep_spacing::trailing:
        return trailing_grid(chain_steps(), steps);
      default:
        return leading_grid(chain_steps(), steps, steps_offset);
    }
  }

 private:
  template <class = when_called>
  std::vector<float> betas() const {
    const std::size_t steps = num_train_timesteps;
    std::vector<float> all;
    switch (schedule) {
      case beta_rule::scaled_linear:
        all = detail::float_line(std::sqrt(beta_start), std::sqrt(beta_end), steps);
        for (float& b : all) b *= b;
        return all;
      case beta_rule::squaredcos_cap_v2: {
        const cosine_beta table{steps};
        for (std::size_t i = 1; i <= steps; ++i) all.push_back(static_cast<float>(table.beta(i)));
        return all;
      }
      case beta_rule::sigmoid:
        all = detail::float_line(-6.0, 6.0, steps);
        for (float& b : all)
          b = 1.0f / (1.0f + std::exp(-b)) * static_cast<float>(beta_end - beta_start) + static_cast<float>(beta_start);
        return all;
      case beta_rule::trained:
        for (const double b : trained_betas) all.push_back(static_cast<float>(b));
        return all;
      default:
        return detail::float_line(beta_start, beta_end, steps);
    }
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
