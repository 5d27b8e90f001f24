// A step in time needs dC_t/dt, which a mask, whose levels are discrete, has not.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/sampler/euler.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using family = softscore::fade;
#else
using family = softscore::centered_mask;
#endif

void run() { draw(softscore::euler{}, softscore::corruption{family{}, softscore::variance_exploding{}}); }
