#pragma once

#include <softscore/core/config.hpp>

namespace softscore {  // shared

/// The variance of the fresh noise of an ancestral step, such as `ddpm`'s: `fixed_large` is beta, the best choice for
/// N(0, I) data; `fixed_small` is btilde, the best for a single point (the names in diffusers).
enum class ancestral_variance { fixed_large, fixed_small };

}  // namespace softscore
