// To accept or refuse a step takes the density of the corrupted images, which a network does not know.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/langevin.hpp>
#include <softscore/sampler/mala.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using chain = softscore::ula;
#else
using chain = softscore::mala;
#endif

void run() { draw(chain{0.1}, softscore::corruption{softscore::identity{}, softscore::variance_exploding{}}); }
