#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/denoiser/diffusers/scheduler.hpp>
#include <softscore/denoiser/diffusers/scheduler_names.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/json_fields.hpp>
#include <softscore/io/parse_double.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Reads the keys of DDPMScheduler and DDIMScheduler. A key that is missing or null has diffusers' default. Unknown keys
// are ignored, as in diffusers.
class scheduler_reader {
 public:
  explicit scheduler_reader(const json_settings& from) : from_{from} {}

  template <class = when_called>
  diffusers_scheduler read() const {
    diffusers_scheduler s;
    const auto kind = value_spelled(scheduler_names, from_.text("_class_name", "DDPMScheduler"));
    if (!kind)
      from_.refuse("_class_name",
                   "DDPMScheduler or DDIMScheduler: in Python, "
                   "DDIMScheduler.from_config(scheduler.config).save_pretrained(folder) converts it");
    s.kind = *kind;
    read_chain(s);
    s.predicts = word("prediction_type", prediction_names, s.predicts);
    read_clipping(s);
    s.spacing = word("timestep_spacing", spacing_names, s.spacing);
    s.steps_offset = from_.size("steps_offset", s.steps_offset);
    if (s.steps_offset >= s.chain_steps()) from_.refuse("steps_offset", "below the number of steps of the chain");
    if (s.kind == scheduler_kind::ddim && !from_.flag("set_alpha_to_one", true))
      from_.refuse("set_alpha_to_one", "true, so that runs end with the clean image");
    if (s.kind == scheduler_kind::ddpm) s.variance = word("variance_type", variance_names, s.variance);
    try {
      static_cast<void>(s.table());
    } catch (const error& refused) {
      throw error(printable(from_.path()) + ": " + refused.what());
    }
    return s;
  }

 private:
  void read_chain(diffusers_scheduler& s) const {
    constexpr std::size_t most = 1000000;
    s.num_train_timesteps = from_.size("num_train_timesteps", s.num_train_timesteps);
    if (s.num_train_timesteps < 1 || s.num_train_timesteps > most)
      from_.refuse("num_train_timesteps", "between 1 and 1000000");
    if (from_.find("trained_betas") != nullptr) {
      s.schedule = beta_rule::trained;
      s.trained_betas = betas();
      if (from_.contains("num_train_timesteps") && s.num_train_timesteps != s.trained_betas.size())
        from_.refuse("num_train_timesteps", "the number of trained_betas, " + std::to_string(s.trained_betas.size()));
      s.num_train_timesteps = s.trained_betas.size();
    } else {
      s.schedule = word("beta_schedule", beta_names, s.schedule);
      const bool unknown = s.kind == scheduler_kind::ddim && s.schedule == beta_rule::sigmoid;
      if (unknown) from_.refuse("beta_schedule", "linear, scaled_linear or squaredcos_cap_v2 in a DDIMScheduler");
      s.beta_start = share("beta_start", s.beta_start);
      s.beta_end = share("beta_end", s.beta_end);
      if (s.schedule == beta_rule::sigmoid && s.num_train_timesteps < 2)
        from_.refuse("num_train_timesteps", "at least 2 for a sigmoid");
    }
    s.rescale_betas_zero_snr = from_.flag("rescale_betas_zero_snr", false);
    if (s.rescale_betas_zero_snr && s.chain_steps() < 2)
      from_.refuse("rescale_betas_zero_snr", "false for a chain of one step");
  }
  void read_clipping(diffusers_scheduler& s) const {
    if (from_.flag("clip_sample", true)) {
      const double range = from_.number("clip_sample_range", 1.0);
      if (!(range > 0.0)) from_.refuse("clip_sample_range", "above 0");
      s.clipping = pixel_range{-range, range};
    } else {
      s.clipping.reset();
    }
    if (!from_.flag("thresholding", false)) return;
    percentile_clipping by{share("dynamic_thresholding_ratio", 0.995), from_.number("sample_max_value", 1.0)};
    if (!(by.most >= 1.0)) from_.refuse("sample_max_value", "at least 1");
    // A threshold between 1 and 1 is 1.
    if (by.most == 1.0) {
      s.clipping = pixel_range{};
      return;
    }
    if (s.kind == scheduler_kind::ddim)
      from_.refuse("thresholding", "false in a DDIMScheduler whose sample_max_value is above 1");
    s.clipping.reset();
    s.thresholding = by;
  }

  template <class Value, std::size_t Count>
  Value word(std::string_view key, const std::array<spelled<Value>, Count>& names, Value otherwise) const {
    if (from_.find(key) == nullptr) return otherwise;
    const auto value = value_spelled(names, from_.text(key, ""));
    if (!value) from_.refuse(key, all_spellings(names));
    return *value;
  }
  double share(std::string_view key, double otherwise) const {
    const double number = from_.number(key, otherwise);
    if (!(number > 0.0 && number < 1.0)) from_.refuse(key, "above 0 and below 1");
    return number;
  }
  std::vector<double> betas() const {
    constexpr std::string_view rule = "a list of numbers of at least 0 and below 1";
    std::vector<double> all;
    for (const json_field& item : from_.find("trained_betas")->items) {
      const auto number = item.what == json_field::kind::number ? parse_double(item.text) : std::nullopt;
      if (!number || !(*number >= 0.0 && *number < 1.0)) from_.refuse("trained_betas", rule);
      all.push_back(*number);
    }
    if (all.empty()) from_.refuse("trained_betas", rule);
    return all;
  }

  const json_settings& from_;
};

}  // namespace detail

/// Reads the settings in a scheduler_config.json. Throws `error` naming the file and the key for schedulers and
/// settings that are not supported, for values of another type, and for numbers out of range.
template <class = when_called>
diffusers_scheduler read_scheduler_config(const json_settings& settings) {
  return detail::scheduler_reader{settings}.read();
}
template <class = when_called>
diffusers_scheduler read_scheduler_config(const std::filesystem::path& path) {
  return read_scheduler_config(read_json_settings(path));
}

}  // namespace softscore::inline SOFTSCORE_ABI
