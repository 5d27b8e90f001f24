#pragma once

#include <string>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/denoiser/diffusers/scheduler.hpp>
#include <softscore/denoiser/diffusers/scheduler_names.hpp>
#include <softscore/nn/diffusers/settings_writer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Returns the scheduler_config.json of a scheduler, as diffusers reads it. Throws `error` for an invalid chain, for a
/// prediction that diffusers does not have, and for clipping to a range that is not symmetric about 0.
template <class = when_called>
std::string scheduler_config_text(const diffusers_scheduler& s) {
  static_cast<void>(s.table());
  const auto predicts = detail::spelling(detail::prediction_names, s.predicts);
  require(!predicts.empty(), "what the network of a scheduler for diffusers predicts", "something else",
          "epsilon, the clean image or the velocity");
  const pixel_range range = s.clipping.value_or(pixel_range{});
  range.check();
  require(range.low == -range.high, "the lower end of the range of a scheduler for diffusers", range.low,
          "minus the upper end");
  require(!s.thresholding || s.kind == scheduler_kind::ddpm, "dynamic thresholding of a DDIMScheduler", "asked for",
          "left out: diffusers keeps the network's noise under it, and ddim here does not");
  const percentile_clipping by = s.thresholding.value_or(percentile_clipping{});
  detail::settings_writer to;
  to.add_text("_class_name", detail::spelling(detail::scheduler_names, s.kind));
  to.add_number("beta_end", s.beta_end);
  to.add_text("beta_schedule",
              detail::spelling(detail::beta_names, s.schedule == beta_rule::trained ? beta_rule::linear : s.schedule));
  to.add_number("beta_start", s.beta_start);
  to.add_flag("clip_sample", s.clipping.has_value());
  to.add_number("clip_sample_range", range.high);
  to.add_number("dynamic_thresholding_ratio", by.ratio);
  to.add_size("num_train_timesteps", s.chain_steps());
  to.add_text("prediction_type", predicts);
  to.add_flag("rescale_betas_zero_snr", s.rescale_betas_zero_snr);
  to.add_number("sample_max_value", by.most);
  if (s.kind == scheduler_kind::ddim) to.add_flag("set_alpha_to_one", true);
  to.add_size("steps_offset", s.steps_offset);
  to.add_flag("thresholding", s.thresholding.has_value());
  to.add_text("timestep_spacing", detail::spelling(detail::spacing_names, s.spacing));
  if (s.schedule == beta_rule::trained)
    to.add_list("trained_betas", s.trained_betas.size(),
                [&](std::size_t k) { return detail::number_text(s.trained_betas[k]); });
  else
    to.add("trained_betas", "null");
  if (s.kind == scheduler_kind::ddpm)
    to.add_text("variance_type", detail::spelling(detail::variance_names, s.variance));
  return to.done();
}

}  // namespace softscore::inline SOFTSCORE_ABI
