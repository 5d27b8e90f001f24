// Fresh noise is not a background that a sampler could know.
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/fade.hpp>

#include "support/draw.hpp"

struct recolor : idle {
  static constexpr bool needs_background = true;
};

#ifdef SOFTSCORE_TWIN
const softscore::background_corruption faded{softscore::fade{}, softscore::severity{1.0}};
#else
const softscore::corruption faded{softscore::fade{}, softscore::two_stage{.level_max = 1.0}};
#endif

void run() { draw(recolor{}, faded); }
