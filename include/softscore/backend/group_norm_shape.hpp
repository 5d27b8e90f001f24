#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include <softscore/backend/activation.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/shape.hpp>

namespace softscore {  // shared

/// A group norm (Wu and He 2018) with what surrounds it in a U-Net. `sizes` is the extent of the input, with the
/// largest batch. `groups` divides the channels; group g consists of the channels from g C / groups on. `epsilon` is
/// added to the variance before the root is taken. `then` is applied to the result.
struct group_norm_shape {
  shape sizes{};
  std::size_t groups{1};
  double epsilon{1e-5};
  activation then{activation::none};

  SOFTSCORE_SHARED constexpr std::size_t channels_per_group() const { return sizes.channels / groups; }
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Throws `error` unless epsilon is finite and not negative.
inline void require_epsilon(double epsilon) {
  require(epsilon >= 0 && epsilon <= (std::numeric_limits<double>::max)(), "epsilon", epsilon, "finite and at least 0");
}

}  // namespace detail

/// Throws `error` unless the sizes are positive, the groups divide the channels, and epsilon is finite and at least 0.
inline void require_valid(const group_norm_shape& s) {
  require(s.sizes.size() > 0, "the extent of a group norm", s.sizes, "at least 1 in every direction");
  require(s.groups > 0, "groups", s.groups, "at least 1");
  if (s.sizes.channels % s.groups != 0)
    reject("channels", s.sizes.channels, "a multiple of groups, which is " + std::to_string(s.groups));
  detail::require_epsilon(s.epsilon);
}

}  // namespace softscore::inline SOFTSCORE_ABI
