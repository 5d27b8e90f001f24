// Guidance by gradients needs a denoiser that can pull a vector back.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/identity.hpp>

#include "support/draw.hpp"

struct guided : idle {
  static constexpr bool needs_pullback = true;
};

#ifdef SOFTSCORE_TWIN
using denoiser = differentiable_echo;
#else
using denoiser = echo;
#endif

void run() { draw(guided{}, softscore::corruption{softscore::identity{}, softscore::two_stage{}}, denoiser{}); }
