#pragma once

#include <array>

#include <softscore/core/config.hpp>
#include <softscore/denoiser/diffusers/scheduler.hpp>
#include <softscore/nn/diffusers/config_names.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// How scheduler_config.json spells the values of a setting. If there are several spellings, the first one is written.
inline constexpr std::array<spelled<scheduler_kind>, 4> scheduler_names{
    {{scheduler_kind::ddpm, "DDPMScheduler"},
     {scheduler_kind::ddim, "DDIMScheduler"},
     {scheduler_kind::ddpm, "DDPMParallelScheduler"},
     {scheduler_kind::ddim, "DDIMParallelScheduler"}}};
inline constexpr std::array<spelled<beta_rule>, 4> beta_names{{{beta_rule::linear, "linear"},
                                                               {beta_rule::scaled_linear, "scaled_linear"},
                                                               {beta_rule::squaredcos_cap_v2, "squaredcos_cap_v2"},
                                                               {beta_rule::sigmoid, "sigmoid"}}};
inline constexpr std::array<spelled<prediction>, 3> prediction_names{
    {{prediction::epsilon, "epsilon"}, {prediction::clean, "sample"}, {prediction::velocity, "v_prediction"}}};
inline constexpr std::array<spelled<ancestral_variance>, 3> variance_names{
    {{ancestral_variance::fixed_small, "fixed_small"},
     {ancestral_variance::fixed_large, "fixed_large"},
     {ancestral_variance::fixed_small, "fixed_small_log"}}};
inline constexpr std::array<spelled<timestep_spacing>, 3> spacing_names{{{timestep_spacing::leading, "leading"},
                                                                         {timestep_spacing::linspace, "linspace"},
                                                                         {timestep_spacing::trailing, "trailing"}}};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
