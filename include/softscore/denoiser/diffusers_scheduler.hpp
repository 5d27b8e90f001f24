#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/corruption/ancestral_variance.hpp>
#include <softscore/corruption/beta_table.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/scaled_linear_beta.hpp>
#include <softscore/corruption/sigmoid.hpp>
#include <softscore/corruption/spacing.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/pixel_range.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/json_fields.hpp>
#include <softscore/nn/diffusers/settings_writer.hpp>
#include <softscore/operator/scaling.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// How the indices of a run are chosen among those of the chain, as corruption/spacing.hpp has them.
enum class timestep_spacing { leading, linspace, trailing };

/// What diffusers' DDPMScheduler or DDIMScheduler keeps in scheduler_config.json: the chain of a model, what its
/// network predicts, and how images are drawn. The chain is computed in double, where diffusers computes in float32.
struct diffusers_scheduler {
  beta_table table{std::vector<double>(1)};
  prediction predicts{prediction::epsilon};
  /// `clip_sample`: the range that the estimate of the clean image is cut to; see `clipped_ddim` for DDIM, which keeps
  /// the network's noise, and `static_thresholding` for `ddpm`.
  std::optional<pixel_range> clipping{};
  timestep_spacing spacing{timestep_spacing::leading};
  std::size_t steps_offset{};
  ancestral_variance variance{ancestral_variance::fixed_small};

  /// The steps of the chain.
  std::size_t chain_steps() const { return table.steps(); }
  /// x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps at time (index + 1) / T.
  corruption<scaling, beta_table> noising() const { return {scaling{}, table}; }
  /// The times of a run of `steps` steps, down to the clean image. Throws `error` for more steps than the chain has.
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
};

namespace detail {

// diffusers' word for a prediction; ours where it has none.
inline std::string_view name_of(prediction what) {
  constexpr std::array<std::string_view, 6> names{"residual",     "epsilon", "sample",
                                                  "v_prediction", "score",   "preconditioned"};
  return names[static_cast<std::size_t>(what)];
}

class scheduler_reader {
 public:
  explicit scheduler_reader(const json_settings& from) : from_{from} {}

  template <class = when_called>
  diffusers_scheduler read() const {
    const std::string kind = from_.text("_class_name", "DDPMScheduler");
    if (kind != "DDPMScheduler" && kind != "DDIMScheduler")
      from_.refuse("_class_name",
                   "DDPMScheduler or DDIMScheduler: convert it in Python with "
                   "DDIMScheduler.from_config(scheduler.config).save_pretrained(folder)");
    const bool ddim = kind == "DDIMScheduler";
    diffusers_scheduler s;
    s.table = table();
    if (from_.flag("rescale_betas_zero_snr", false)) s.table = zero_terminal_snr(s.table);
    s.predicts = one_of<prediction, 3>(
        "prediction_type", "epsilon",
        {{{prediction::epsilon, "epsilon"}, {prediction::clean, "sample"}, {prediction::velocity, "v_prediction"}}});
    if (from_.flag("thresholding", false))
      from_.refuse("thresholding", "false: wrap the denoiser in dynamic_thresholding");
    if (from_.flag("clip_sample", true)) {
      const double range = from_.number("clip_sample_range", 1);
      if (!(range > 0)) from_.refuse("clip_sample_range", "above 0");
      s.clipping = pixel_range{-range, range};
    }
    s.spacing = one_of<timestep_spacing, 3>("timestep_spacing", "leading",
                                            {{{timestep_spacing::leading, "leading"},
                                              {timestep_spacing::linspace, "linspace"},
                                              {timestep_spacing::trailing, "trailing"}}});
    s.steps_offset = from_.size("steps_offset", 0);
    if (s.steps_offset >= s.chain_steps()) from_.refuse("steps_offset", "below the steps of the chain");
    if (ddim && !from_.flag("set_alpha_to_one", true))
      from_.refuse("set_alpha_to_one", "true, so that runs end with the clean image");
    if (!ddim)
      s.variance = one_of<ancestral_variance, 2>(
          "variance_type", "fixed_small",
          {{{ancestral_variance::fixed_small, "fixed_small"}, {ancestral_variance::fixed_large, "fixed_large"}}});
    return s;
  }

 private:
  beta_table table() const {
    if (const json_field* given = from_.find("trained_betas")) return beta_table{numbers(*given)};
    const std::size_t steps = from_.size("num_train_timesteps", 1000);
    if (steps < 1 || steps > 1000000) from_.refuse("num_train_timesteps", "between 1 and 1000000");
    const double first = from_.number("beta_start", 1e-4), last = from_.number("beta_end", 0.02);
    const std::string schedule = from_.text("beta_schedule", "linear");
    try {
      if (schedule == "linear") return linear_beta{steps, first, last};
      if (schedule == "scaled_linear") return scaled_linear_beta{steps, first, last};
      if (schedule == "squaredcos_cap_v2") return cosine_beta{steps};
      if (schedule == "sigmoid") return sigmoid_beta{steps, first, last};
    } catch (const error& refused) {
      throw error(printable(from_.path()) + ": " + refused.what());
    }
    from_.refuse("beta_schedule", "linear, scaled_linear, squaredcos_cap_v2 or sigmoid");
  }
  std::vector<double> numbers(const json_field& list) const {
    std::vector<double> all;
    for (const json_field& item : list.items) {
      const auto number = item.what == json_field::kind::number ? parse_double(item.text) : std::nullopt;
      if (!number) from_.refuse("trained_betas", "a list of numbers");
      all.push_back(*number);
    }
    if (all.empty()) from_.refuse("trained_betas", "a list of numbers");
    return all;
  }
  template <class Value, std::size_t Count>
  Value one_of(std::string_view key, std::string_view otherwise,
               const std::array<std::pair<Value, std::string_view>, Count>& values) const {
    const std::string text = from_.text(key, otherwise);
    std::string all;
    for (const auto& [value, name] : values) {
      if (name == text) return value;
      (all += all.empty() ? "" : " or ") += name;
    }
    from_.refuse(key, all);
  }

  const json_settings& from_;
};

}  // namespace detail

/// The scheduler of a folder of diffusers: scheduler/scheduler_config.json, or scheduler_config.json beside the model's
/// config.json. Throws `error` naming the file and the key for a scheduler of another kind and for settings that are
/// not supported.
template <class = when_called>
diffusers_scheduler load_diffusers_scheduler(const std::filesystem::path& folder) {
  std::error_code ignored;
  const std::filesystem::path inside = folder / "scheduler" / "scheduler_config.json";
  const json_settings settings =
      read_json_settings(std::filesystem::exists(inside, ignored) ? inside : folder / "scheduler_config.json");
  return detail::scheduler_reader{settings}.read();
}

/// Writes scheduler_config.json into a folder, as diffusers' DDPMScheduler reads it; the chain is written as the list
/// of its betas. Throws `error` for a prediction that diffusers does not have, for a range that is not centered at 0,
/// and if the file cannot be written.
template <class = when_called>
void save_diffusers_scheduler(const std::filesystem::path& folder, const diffusers_scheduler& s) {
  detail::settings_writer to;
  to.add_text("_class_name", "DDPMScheduler");
  to.add_text("beta_schedule", "linear");
  to.add_flag("clip_sample", s.clipping.has_value());
  if (s.clipping) {
    require(s.clipping->low == -s.clipping->high, "lower end of the range for diffusers", s.clipping->low,
            "minus the upper end");
    to.add_number("clip_sample_range", s.clipping->high);
  }
  to.add_size("num_train_timesteps", s.chain_steps());
  const bool has =
      s.predicts == prediction::epsilon || s.predicts == prediction::clean || s.predicts == prediction::velocity;
  require(has, "the prediction of a model for diffusers", detail::name_of(s.predicts),
          "epsilon, sample or v_prediction");
  to.add_text("prediction_type", detail::name_of(s.predicts));
  to.add_size("steps_offset", s.steps_offset);
  to.add_text("timestep_spacing", s.spacing == timestep_spacing::leading    ? "leading"
                                  : s.spacing == timestep_spacing::linspace ? "linspace"
                                                                            : "trailing");
  to.add_list("trained_betas", s.chain_steps(),
              [&](std::size_t k) { return detail::number_text(s.table.beta(k + 1)); });
  to.add_text("variance_type", s.variance == ancestral_variance::fixed_small ? "fixed_small" : "fixed_large");
  atomic_file file{folder / "scheduler_config.json"};
  file.write(std::string_view{to.done()});
  file.commit();
}

/// Throws `error` unless the network of a model predicts what a denoiser takes from it.
inline void require_prediction(const diffusers_scheduler& scheduler, prediction wanted) {
  require(scheduler.predicts == wanted, "the prediction_type of the model", detail::name_of(scheduler.predicts),
          "the denoiser's, " + std::string{detail::name_of(wanted)});
}

}  // namespace softscore::inline SOFTSCORE_ABI
