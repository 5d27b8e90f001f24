// Ancestral sampling needs C_t = a_t I, which a blur is not.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddpm.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using family = softscore::scaling;
#else
using family = softscore::gaussian_blur;
#endif

void run() { draw(softscore::ddpm{}, softscore::corruption{family{}, softscore::two_stage{}}); }
