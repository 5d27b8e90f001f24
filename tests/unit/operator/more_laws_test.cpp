// `check_laws` on the blurs, masks and down-samplings beyond those of the recipes.
#include "catch.hpp"

#include <cstddef>
#include <random>
#include <vector>

#include <softscore/operator/bicubic_downsampling.hpp>
#include <softscore/operator/box_downsampling.hpp>
#include <softscore/operator/color_removal.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/fft_blur.hpp>
#include <softscore/operator/free_form_mask.hpp>
#include <softscore/operator/kernel_blur.hpp>
#include <softscore/operator/motion_blur.hpp>
#include <softscore/operator/periodic_blur.hpp>
#include <softscore/operator/random_mask.hpp>

#include "obeys.hpp"

using namespace softscore;

namespace {

std::vector<double> uniform_numbers(std::size_t count, unsigned seed) {
  std::mt19937 engine{seed};
  std::uniform_real_distribution<double> draw;
  std::vector<double> all(count);
  for (double& v : all) v = draw(engine);
  return all;
}

}  // namespace

TEST_CASE("blurs in modes obey the laws", "[operator]") {
  obeys(dct_blur{}, {.level_max = 6.0});
  obeys(fft_blur{}, {.level_max = 6.0});
}

TEST_CASE("blurs by kernels obey the laws", "[operator]") {
  obeys(motion_blur{}, {.level_max = 7.0});
  obeys(motion_blur{.degrees = 90.0}, {.level_max = 7.0});
  obeys(motion_blur{.degrees = -37.0}, {.level_max = 12.0});
  obeys(kernel_blur{5, 3, uniform_numbers(15, 1)}, {});
  obeys(kernel_blur{1, 19, uniform_numbers(19, 2)}, {});
  obeys(kernel_blur{1, 1, {0.25}}, {});
  obeys(periodic_blur{5, 3, uniform_numbers(15, 1)}, {});
  obeys(periodic_blur{3, 21, uniform_numbers(63, 2)},
        {.extents = {{5, 3, 7, 9}, {4, 1, 8, 6}, {2, 2, 1, 5}, {2, 1, 2, 2}}});
}

TEST_CASE("masks obey the laws", "[operator]") {
  obeys(random_mask{}, {});
  obeys(random_mask{{.seed = 5, .step = 3}}, {});
  obeys(free_form_mask{7, 9, uniform_numbers(63, 3)}, {.extents = {{5, 3, 7, 9}}});
}

TEST_CASE("down-samplings and the loss of color obey the laws", "[operator]") {
  obeys(box_downsampling{}, {.level_max = 8.0});
  obeys(bicubic_downsampling{}, {.level_max = 4.0});
  obeys(color_removal{}, {});
}
