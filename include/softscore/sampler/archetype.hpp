#pragma once

#include <softscore/core/config.hpp>
#include <softscore/corruption/archetype.hpp>
#include <softscore/denoiser/archetype.hpp>
#include <softscore/sampler/sampling_run.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A run that consists of declarations only; each sampler is checked against it where it is defined.
using archetype_run = sampling_run<archetype_backend, archetype_corruption, archetype_denoiser, float>;
/// The same over a background.
using archetype_background_run =
    sampling_run<archetype_backend, archetype_background_corruption, archetype_denoiser, float>;

}  // namespace softscore::inline SOFTSCORE_ABI
