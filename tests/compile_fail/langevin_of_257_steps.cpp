// A step numbers its draws of noise by a byte: the 257th would be the first again.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/langevin.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
constexpr int steps = 256;
#else
constexpr int steps = 257;
#endif

void run() {
  draw(softscore::annealed_langevin<steps>{},
       softscore::corruption{softscore::identity{}, softscore::variance_exploding{}});
}
