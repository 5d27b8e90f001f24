#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/at_each_time.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/nn/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Returns time t on the scale of step indices, for a chain of `steps` steps: t steps - 1, so that time k / steps is
/// exactly index k - 1 (our own; diffusers has only the indices). Throws `error` for a chain without steps.
inline step_index step_index_at(diffusion_time t, std::size_t steps) {
  require(steps >= 1, "steps of the network's chain", steps, "at least 1");
  const double count = static_cast<double>(steps), index = t.value * count - 1.0, whole = std::round(index);
  // k / steps is rounded, but an index that a file holds is not.
  return {std::abs(index - whole) <= 1e-12 * count ? whole : index};
}

/// Returns time t as the corruption's log(a_t^2 / sigma_t^2) (Kingma et al. 2021). Throws `error` unless both are above
/// 0.
template <class C>
log_snr log_snr_at(const C& corruption, diffusion_time t) {
  const double a = corruption.signal_gain(t), sigma = corruption.sigma(t);
  require(a > 0.0, "the signal's gain, for a network that takes the log-SNR", a, "above 0");
  require(sigma > 0.0, "sigma, for a network that takes the log-SNR", sigma, "above 0");
  return {2.0 * (std::log(a) - std::log(sigma))};
}

/// `parameterization.corruption()` has known a_t and sigma_t: the scales `log_snr`, `noise_level`, `sigma` and
/// `c_noise` are computed from them.
template <class L>
concept KnowsNoiseScale = requires(const L parameterization) {
  requires ScalarSignal<std::remove_cvref_t<decltype(parameterization.corruption())>>;
  requires HasSigma<std::remove_cvref_t<decltype(parameterization.corruption())>>;
};

namespace detail {
// Whether a time can be turned into a network's own; the static_assert says in one sentence why not.
template <class Net, class L>
constexpr bool require_network_time() {
  using time = time_type_of<Net>;
  constexpr bool by_itself = std::same_as<time, diffusion_time> || std::same_as<time, step_index>;
  constexpr bool counted = !std::same_as<time, step_index> || StatesSteps<Net>;
  static_assert(by_itself || KnowsNoiseScale<L>,
                "softscore: this network takes the time as log_snr, noise_level, sigma or c_noise, which only a "
                "corruption gives, and this denoiser knows none: a prediction of the noise, the velocity or the score "
                "does");
  static_assert(counted,
                "softscore: a network that takes the step_index states the steps of its chain, and this one has no "
                "member steps()");
  return (by_itself || KnowsNoiseScale<L>) && counted;
}
}  // namespace detail

/// Returns time t on a network's own scale, computed from the network's number of steps or from the corruption of its
/// parameterization. Throws `error` if t has no value on the scale.
template <class Net, class L>
time_type_of<Net> network_time(const Net& network, const L& parameterization, diffusion_time t) {
  using time = time_type_of<Net>;
  if constexpr (!detail::require_network_time<Net, L>()) {
    return {};
  } else if constexpr (std::same_as<time, diffusion_time>) {
    return t;
  } else if constexpr (std::same_as<time, step_index>) {
    return step_index_at(t, network.steps());
  } else if constexpr (std::same_as<time, log_snr>) {
    return log_snr_at(parameterization.corruption(), t);
  } else if constexpr (std::same_as<time, c_noise>) {
    return {-0.125 * log_snr_at(parameterization.corruption(), t).value};
  } else if constexpr (std::same_as<time, noise_level>) {
    return {parameterization.corruption().signal_gain(t)};
  } else {
    return {parameterization.corruption().sigma(t)};
  }
}

/// The same for all images of a batch; `buffer` keeps the times if each image has its own.
template <class Net, class L>
per_image<time_type_of<Net>> network_times(const Net& network, const L& parameterization,
                                           per_image<diffusion_time> times, std::size_t images,
                                           std::vector<time_type_of<Net>>& buffer) {
  if constexpr (std::same_as<time_type_of<Net>, diffusion_time>)
    return times;
  else
    return detail::at_each_time<time_type_of<Net>>(
        times, images, buffer, [&](diffusion_time t) { return network_time(network, parameterization, t); });
}

}  // namespace softscore::inline SOFTSCORE_ABI
