#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/tabulated.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/objective/cold_loss.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/objective/naive_loss.hpp>
#include <softscore/objective/soft_score_matching_loss.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/train/options.hpp>

#include "model.hpp"

// A recipe is four choices: a corruption, what the network predicts, what training minimizes, and how to sample. Most
// numbers are those of the papers that each recipe cites. The steps of the soft recipes' samplers are our own, and so
// is the mask's `ahead` (docs/decisions/0008). For images with another side than MNIST's 28, sizes in pixels are
// scaled.
namespace digits {

/// The schedule of the soft recipes: their own, or one that a search found and a file holds.
struct soft_schedule {
  softscore::two_stage usual{};
  std::optional<softscore::tabulated> searched{};

  softscore::level level_at(softscore::diffusion_time t) const {
    return searched ? searched->level_at(t) : usual.level_at(t);
  }
  double sigma_at(softscore::diffusion_time t) const { return searched ? searched->sigma_at(t) : usual.sigma_at(t); }
  // Samplers that step along the change of C_t need these.
  double level_rate_at(softscore::diffusion_time t) const {
    return searched ? searched->level_rate_at(t) : usual.level_rate_at(t);
  }
  double sigma_rate_at(softscore::diffusion_time t) const {
    return searched ? searched->sigma_rate_at(t) : usual.sigma_rate_at(t);
  }
};

/// The losses of the soft recipes, chosen by the command line: one type, so that training is compiled once.
struct soft_or_naive {
  static constexpr bool needs_normal_noise = true;

  softscore::soft_score_matching_loss soft{};
  bool naive{};

  template <softscore::Scalar T, class Be>
  auto workspace(Be& be, const softscore::shape& most) const {
    return soft.workspace<T>(be, most);
  }
  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& corruption, const D& denoiser, DM& denoiser_memory,
                const softscore::corrupted_batch<Be, T>& batch, softscore::in_of<Be, T> phi,
                softscore::out_of<Be, T> gradient, double* losses, M& memory) const {
    if (naive)
      softscore::naive_loss{}.evaluate(be, corruption, denoiser, denoiser_memory, batch, phi, gradient, losses, memory);
    else
      soft.evaluate(be, corruption, denoiser, denoiser_memory, batch, phi, gradient, losses, memory);
  }
};

/// Noise alone, as in DDPM (Ho et al. 2020), with the training of Knottenbelt n.d., Section 1.
struct ddpm_recipe {
  static constexpr std::string_view name = "ddpm", about = "noise alone, predicted by the network";
  static constexpr std::string_view sampler = "ddpm";
  static constexpr std::size_t steps = 1000;
  static constexpr double ahead = 0.0;
  static constexpr bool fits_prior = false, takes_schedule = false;

  static auto corruption(const softscore::shape&, const softscore::fitted_prior&,
                         const std::optional<softscore::tabulated>& = {}) {
    return softscore::corruption{softscore::scaling{}, softscore::linear_beta{1000}};
  }
  template <class C>
  static auto denoiser(any_network network, const C& corruption) {
    return softscore::epsilon_denoiser{std::move(network), corruption};
  }
  static auto objective(const loss_choice&) { return softscore::epsilon_loss{}; }
  // The loss is much larger at early times than at late ones: stratified times halve its variation between batches
  // (decision 33).
  static softscore::training_options training() {
    return {.times = {.indices = 1000, .stratified = true}, .pixels = {1.0f, -0.5f}};
  }
};

/// Cold diffusion: an eraser head moves over the image in zig-zags and leaves a random background (Knottenbelt n.d.,
/// Section 2; Bansal et al. 2022).
struct eraser_recipe {
  static constexpr std::string_view name = "eraser", about = "an eraser that leaves a random background, no noise";
  static constexpr std::string_view sampler = "cold";
  static constexpr std::size_t steps = 100;
  static constexpr double ahead = 0.0;
  static constexpr bool fits_prior = false, takes_schedule = false;

  static auto corruption(const softscore::shape& image, const softscore::fitted_prior&,
                         const std::optional<softscore::tabulated>& = {}) {
    return softscore::background_corruption{softscore::eraser{image.height, image.width, 100},
                                            softscore::severity{100}};
  }
  template <class C>
  static auto denoiser(any_network network, const C&) {
    return softscore::clean_denoiser{std::move(network)};
  }
  static auto objective(const loss_choice&) { return softscore::cold_loss{}; }
  static softscore::training_options training() { return {.times = {100}, .pixels = {1.0f, -0.5f}}; }
};

/// What the two soft recipes share (Daras et al. 2022, Eq. 12 and Appendix D).
struct soft_recipe {
  static constexpr std::string_view sampler = "momentum";
  static constexpr std::size_t steps = 200;
  static constexpr bool takes_schedule = true;

  template <class C>
  static auto denoiser(any_network network, const C&) {
    return softscore::residual_denoiser{std::move(network)};
  }
  static auto objective(const loss_choice& choice) {
    return soft_or_naive{softscore::soft_score_matching_loss{.ahead = choice.ahead}, choice.naive};
  }
  static softscore::training_options training() {
    return {.max_grad_norm = 1.0, .warmup_steps = 500, .ema_decay = 0.999};
  }
};

/// Soft diffusion under blur and noise (Daras et al. 2022). Something is left of an image at time 1, so sampling starts
/// from a distribution that is fitted to blurred training images.
struct blur_recipe : soft_recipe {
  static constexpr std::string_view name = "blur", about = "a little noise, then blur until nothing is left to see";
  static constexpr double ahead = 0.1;
  static constexpr bool fits_prior = true;

  static auto corruption(const softscore::shape& image, const softscore::fitted_prior& prior,
                         const std::optional<softscore::tabulated>& searched = {}) {
    const soft_schedule schedule{{.level_max = 0.5 * static_cast<double>(image.width)}, searched};
    return softscore::corruption{softscore::gaussian_blur{.half_width = image.width}, schedule, prior};
  }
};

/// Soft diffusion under a closing mask and noise (Daras et al. 2022, Appendix G).
struct mask_recipe : soft_recipe {
  static constexpr std::string_view name = "mask", about = "a little noise, then a square window that closes";
  static constexpr bool fits_prior = false;

  static auto corruption(const softscore::shape& image, const softscore::fitted_prior&,
                         const std::optional<softscore::tabulated>& searched = {}) {
    const soft_schedule schedule{
        {.level_min = 0.0, .level_max = static_cast<double>(image.width), .levels = softscore::spacing::linear},
        searched};
    return softscore::corruption{softscore::centered_mask{}, schedule};
  }
  // A step of 1/50 opens the window by less than 1/20 does: the loss sees the rim that the steps reveal.
  static constexpr double ahead = 0.05;
};

}  // namespace digits
