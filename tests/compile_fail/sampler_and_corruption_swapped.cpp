// The sampler comes before the corruption.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/identity.hpp>

#include "support/draw.hpp"

const softscore::corruption noising{softscore::identity{}, softscore::variance_exploding{}};

void run(softscore::start_point<softscore::serial_backend, float> from) {
  using namespace softscore;
  serial_backend be;
#ifdef SOFTSCORE_TWIN
  integrate(be, idle{}, noising, echo{}, uniform_grid(10), std::move(from), 1);
#else
  integrate(be, noising, idle{}, echo{}, uniform_grid(10), std::move(from), 1);
#endif
}
