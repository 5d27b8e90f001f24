#pragma once

namespace softscore {

/// The variance of the fresh noise of an ancestral step, such as `ddpm`'s: `large` is beta, best for N(0, I) data;
/// `small` is btilde, best for a point.
enum class ancestral_variance { large, small };

}  // namespace softscore
