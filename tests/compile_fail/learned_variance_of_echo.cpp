// DDPM with a learned variance asks the denoiser for it, and most have learned none.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/learned_ddpm.hpp>

#include "support/draw.hpp"

double halfway(softscore::diffusion_time) { return 0.5; }
#ifdef SOFTSCORE_TWIN
const softscore::learned_ddpm sampler{halfway};
#else
const softscore::learned_ddpm sampler{};
#endif

void run() { draw(sampler, softscore::corruption{softscore::scaling{}, softscore::linear_beta{}}); }
