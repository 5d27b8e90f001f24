#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/corruption/monotone.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The straight line between image and noise: a_t = 1 - t, sigma_t = t (Lipman et al. 2023; Liu et al. 2023). It is
/// used with `scaling`. At time 1 no signal is left, and the level -log a is infinite.
struct flow_matching {
  level level_at(diffusion_time t) const { return level{-std::log1p(-t.value)}; }
  constexpr double sigma_at(diffusion_time t) const { return t.value; }
  constexpr double level_rate_at(diffusion_time t) const { return 1.0 / (1.0 - t.value); }
  constexpr double sigma_rate_at(diffusion_time) const { return 1.0; }
  constexpr double gain_rate_at(diffusion_time) const { return -1.0; }
};
static_assert(Schedule<flow_matching>);
// a / sigma falls, and so does log-SNR; at the ends there is only the image and only the noise.
static_assert(detail::falls_over_time([](diffusion_time t) {
  return t.value == 0.0 ? 1e300 : (1.0 - t.value) / flow_matching{}.sigma_at(t);
}));
static_assert(flow_matching{}.sigma_at(diffusion_time{0.0}) == 0.0 &&
              flow_matching{}.sigma_at(diffusion_time{1.0}) == 1.0);

}  // namespace softscore::inline SOFTSCORE_ABI
