// Images are drawn in float or double.
#include <array>
#include <span>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/sample_into.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using number = double;
#else
using number = unsigned char;
#endif

void run() {
  using namespace softscore;
  serial_backend be;
  std::array<number, 16> pixels{};
  sample(be, ddim{}, corruption{scaling{}, variance_preserving{}}, echo{}, uniform_grid(4), std::span{pixels},
         {.images = 1, .image = shape{1, 1, 4, 4}});
}
