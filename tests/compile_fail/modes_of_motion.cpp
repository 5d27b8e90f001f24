// Steps in an operator's modes need its singular values, which a motion blur has not.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/motion_blur.hpp>
#include <softscore/sampler/exponential_integrator.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using family = softscore::fade;
#else
using family = softscore::motion_blur;
#endif

void run() {
  draw(softscore::exponential_integrator<2>{}, softscore::corruption{family{}, softscore::variance_exploding{}});
}
