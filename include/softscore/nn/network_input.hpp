#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/quantity.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The scales on which networks take the time.
template <class Time>
concept NetworkTime =
    std::same_as<Time, diffusion_time> || std::same_as<Time, step_index> || std::same_as<Time, log_snr> ||
    std::same_as<Time, c_noise> || std::same_as<Time, noise_level> || std::same_as<Time, sigma>;

/// Which dropout masks a training step draws: masks depend only on these numbers, the layer and the element.
struct dropout_draw {
  std::uint64_t seed{};
  std::uint32_t step{};
  std::uint64_t first_image{};  ///< the number, within the step's batch, of the first image that is evaluated
};

/// What a network receives besides x: times on its own scale, one for the batch or one per image, what else is known
/// about the images, and in training the draw of its dropout layers, which do nothing without it.
template <NetworkTime Time>
struct network_input {
  using time_type = Time;
  per_image<Time> times;
  conditioning given{};
  std::optional<dropout_draw> dropout{};

  network_input(per_image<Time> of_images, const conditioning& known = {},
                const std::optional<dropout_draw>& drawn = std::nullopt)
      : times{of_images}, given{known}, dropout{drawn} {}
  network_input(Time of_all) : times{of_all} {}
};

/// What `evaluate` and `forward` of a network take: a time, one per image, or a `network_input`.
template <class Input>
concept NetworkInput = NetworkTime<Input> || requires(const Input given) { network_input{given}; };

/// The scale of time of such an input.
template <NetworkInput Input>
using time_of_input = typename decltype(network_input{std::declval<const Input&>()})::time_type;

}  // namespace softscore::inline SOFTSCORE_ABI
