// A corruption whose xi is a background that the sampler knows has no score.
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/momentum.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using sampler = softscore::cold;
#else
using sampler = softscore::momentum;
#endif

void run() { draw(sampler{}, softscore::background_corruption{softscore::eraser{}, softscore::severity{}}); }
