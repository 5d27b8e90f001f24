// An observer of sampling is called with its progress.
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
  std::array<float, 16> pixels{};
#ifdef SOFTSCORE_TWIN
  const auto watch = [](const sampling_progress<serial_backend, float>&) {};
#else
  const auto watch = [](int) {};
#endif
  sample(be, ddim{}, corruption{scaling{}, variance_preserving{}}, echo{}, uniform_grid(4), std::span<float>{pixels},
         {.images = 1, .image = shape{1, 1, 4, 4}}, watch);
}
