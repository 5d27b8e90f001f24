// Pseudoinverse guidance adds to the score, which gives the estimate only where the signal is a number times the image.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/pigdm.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using family = softscore::identity;
#else
using family = softscore::gaussian_blur;
#endif

void run(const softscore::observation& y) {
  draw(softscore::pigdm{softscore::measurement{softscore::centered_mask{}, softscore::level{2.0}}, y},
       softscore::corruption{family{}, softscore::two_stage{}}, differentiable_echo{});
}
