// An operator knows nothing of time: it becomes a corruption by its schedule.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/gaussian_blur.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
const softscore::corruption blurring{softscore::gaussian_blur{}, softscore::two_stage{}};
#else
const softscore::gaussian_blur blurring{};
#endif

void run() {
  using namespace softscore;
  serial_backend be;
  const shape image{1, 1, 4, 4};
  integrate(be, idle{}, blurring, echo{}, uniform_grid(10),
            start_point<serial_backend, float>{be.make<float>(image), be.make<float>(image), {0, 1}}, 1);
}
