// The corruption comes before the denoiser.
#include <array>
#include <span>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/sample_into.hpp>

#include "support/draw.hpp"

void run() {
  using namespace softscore;
  serial_backend be;
  const corruption noise{scaling{}, variance_preserving{}};
  std::array<float, 16> pixels{};
#ifdef SOFTSCORE_TWIN
  sample(be, ddim{}, noise, echo{}, uniform_grid(4), std::span{pixels}, {.images = 1, .image = shape{1, 1, 4, 4}});
#else
  sample(be, ddim{}, echo{}, noise, uniform_grid(4), std::span{pixels}, {.images = 1, .image = shape{1, 1, 4, 4}});
#endif
}
