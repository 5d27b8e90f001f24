// The predictor draws noise too, so 255 correctors are the most that a byte can number.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/predictor_corrector.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
constexpr int correctors = 255;
#else
constexpr int correctors = 256;
#endif

void run() {
  draw(softscore::predictor_corrector<softscore::momentum, softscore::snr_length, correctors>{},
       softscore::corruption{softscore::identity{}, softscore::variance_exploding{}});
}
