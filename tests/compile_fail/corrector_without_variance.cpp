// A sampler that steps by another one needs what that one needs.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/learned_ddpm.hpp>
#include <softscore/sampler/predictor_corrector.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using predictor = softscore::ddpm;
#else
using predictor = softscore::learned_ddpm<>;
#endif

void run() {
  draw(softscore::predictor_corrector<predictor>{},
       softscore::corruption{softscore::scaling{}, softscore::variance_preserving{}});
}
