#pragma once

#include <softscore/core/config.hpp>
#include <softscore/corruption/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The schedule that does nothing (our own): level 0 and no noise at any time, so that x_t is x_0. With it a network is
/// trained on clean images, as a classifier is: `corruption{identity{}, undamaged{}}`.
struct undamaged {
  constexpr level level_at(diffusion_time) const { return level{0.0}; }
  constexpr double sigma_at(diffusion_time) const { return 0.0; }
};
static_assert(Schedule<undamaged>);

}  // namespace softscore::inline SOFTSCORE_ABI
