#pragma once

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The variance of the fresh noise of an ancestral step, such as `ddpm`'s: `large` is beta, best for N(0, I) data;
/// `small` is btilde, best for a point.
enum class ancestral_variance { large, small };

}  // namespace softscore::inline SOFTSCORE_ABI
