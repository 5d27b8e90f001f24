// Images are drawn into memory that can be written.
#include <array>
#include <span>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/sample_into.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using number = float;
#else
using number = const float;
#endif

void run() {
  using namespace softscore;
  serial_backend be;
  std::array<float, 16> pixels{};
  sample(be, ddim{}, corruption{scaling{}, variance_preserving{}}, echo{}, uniform_grid(4), std::span<number>{pixels},
         {.images = 1, .image = shape{1, 1, 4, 4}});
}
