#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/diffusers/read_scheduler.hpp>
#include <softscore/denoiser/diffusers/scheduler.hpp>
#include <softscore/denoiser/diffusers/scheduler_names.hpp>
#include <softscore/denoiser/diffusers/write_scheduler.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/make_folder.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Reads the scheduler of a folder of diffusers: scheduler/scheduler_config.json, or scheduler_config.json beside the
/// model's config.json. Throws `error` as `read_scheduler_config` does, and if there is no such file.
template <class = when_called>
diffusers_scheduler load_diffusers_scheduler(const std::filesystem::path& folder) {
  std::error_code ignored;
  const std::filesystem::path inside = folder / "scheduler" / "scheduler_config.json";
  return read_scheduler_config(std::filesystem::exists(inside, ignored) ? inside : folder / "scheduler_config.json");
}

/// Writes scheduler_config.json into a folder, which is created if it does not exist. Throws `error` as
/// `scheduler_config_text` does, and if the file cannot be written.
template <class = when_called>
void save_diffusers_scheduler(const std::filesystem::path& folder, const diffusers_scheduler& scheduler) {
  const std::string text = scheduler_config_text(scheduler);
  detail::make_folder(folder);
  write_file(folder / "scheduler_config.json", std::string_view{text});
}

namespace detail {
[[noreturn]] inline void reject_prediction(prediction found, const std::string& rule) {
  const auto name = spelling(prediction_names, found);
  reject("the prediction_type of the model", name.empty() ? "none of diffusers" : name, rule);
}
}  // namespace detail

/// Throws `error` unless the network of a model predicts what a denoiser expects from it.
inline void require_prediction(const diffusers_scheduler& scheduler, prediction wanted) {
  if (scheduler.predicts != wanted)
    detail::reject_prediction(scheduler.predicts,
                              "the denoiser's, " + std::string{detail::spelling(detail::prediction_names, wanted)});
}

/// Calls f with the denoiser that a network and its scheduler make, before any clipping: `epsilon_denoiser`,
/// `clean_denoiser` or `velocity_denoiser`. f must return the same type for all. Throws `error` for another prediction.
template <StatesImage Net, class F>
decltype(auto) with_denoiser(Net network, const diffusers_scheduler& scheduler, F&& f) {
  switch (scheduler.predicts) {
    case prediction::epsilon:
      return std::forward<F>(f)(epsilon_denoiser{std::move(network), scheduler.noising()});
    case prediction::clean:
      return std::forward<F>(f)(clean_denoiser{std::move(network)});
    case prediction::velocity:
      return std::forward<F>(f)(velocity_denoiser{std::move(network), scheduler.noising()});
    default:
      detail::reject_prediction(scheduler.predicts, "epsilon, sample or v_prediction");
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
