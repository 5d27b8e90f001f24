// A cascade is made of stages.
#include <softscore/backend/serial.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/sample_cascade.hpp>

#include "support/learn.hpp"

void draw(softscore::serial_backend& be, softscore::cascade_state& state) {
#ifdef SOFTSCORE_TWIN
  sample_cascade(
      be, {}, state, softscore::no_observer{},
      softscore::cascade_stage{softscore::ddim{}, noising, residual, softscore::uniform_grid(2), {1, 1, 28, 28}});
#else
  sample_cascade(be, {}, state, softscore::no_observer{}, softscore::ddim{});
#endif
}
