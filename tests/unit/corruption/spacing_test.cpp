// Spacings: the index lists of Lin et al. 2023 and of Song, Meng and Ermon 2021, the noise levels of Karras et al.
// 2022, the even steps of log-SNR of Lu et al. 2022a, and the end at exactly 0.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/karras_sigma.hpp>
#include <softscore/corruption/spacing.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>

#include "printed.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

using indices = std::vector<std::size_t>;

// Steps begin where the one before ended, and the last ends at 0.
void check_joined(const time_grid& grid, std::size_t steps) {
  CHECK(grid.steps() == steps);
  for (std::size_t i = 1; i < grid.steps(); ++i) CHECK(grid[i].t.value == grid[i - 1].s.value);
  CHECK(grid.end().value == 0.0);
  CHECK(grid[grid.steps() - 1].last());
}

}  // namespace

TEST_CASE("index lists are those of Lin et al. 2023", "[schedule]") {
  CHECK((leading_indices(1000, 10) == indices{900, 800, 700, 600, 500, 400, 300, 200, 100, 0}));
  CHECK((leading_indices(1000, 5, 1) == indices{801, 601, 401, 201, 1}));
  CHECK((linspace_indices(1000, 10) == indices{999, 888, 777, 666, 555, 444, 333, 222, 111, 0}));
  // Halves go to the even neighbor: 999 / 2 = 499.5, and 999 k / 6 = 166.5 k.
  CHECK((linspace_indices(1000, 3) == indices{999, 500, 0}));
  CHECK((linspace_indices(1000, 7) == indices{999, 832, 666, 500, 333, 166, 0}));
  // 1000 - i 1000 / 13 is 1000, 923.1, 846.2, 769.2, 692.3, 615.4, 538.5, 461.5, 384.6, 307.7, 230.8, 153.8, 76.9.
  CHECK((trailing_indices(1000, 13) == indices{999, 922, 845, 768, 691, 614, 537, 461, 384, 307, 230, 153, 76}));
  CHECK((trailing_indices(1000, 4) == indices{999, 749, 499, 249}));
  // 800 (1, 9/16, 4/16, 1/16, 0).
  CHECK((quadratic_indices(1000, 5) == indices{800, 450, 200, 50, 0}));
  CHECK((linspace_indices(1000, 1) == indices{999}));
  check_joined(linspace_grid(1000, 10), 10);
  check_joined(leading_grid(1000, 10, 1), 10);
  check_joined(trailing_grid(1000, 13), 13);
  check_joined(quadratic_grid(1000, 20), 20);
  CHECK(trailing_grid(1000, 13).start().value == 1.0);
  CHECK(leading_grid(1000, 10).start().value == 0.901);
  CHECK(linspace_grid(1000, 1000).steps() == 1000);
  CHECK_REFUSED(linspace_grid(10, 11), "steps is 11, but it must be at least 1 and at most those of the table");
  CHECK_REFUSED(trailing_grid(10, 0), "steps is 0");
  CHECK_REFUSED(leading_grid(10, 10, 1), "index is 10, but it must be below the number of steps of the table");
  CHECK_REFUSED(quadratic_grid(100, 90), "but it must be smaller than the time before it");
}

TEST_CASE("quadratic lists are those of DDIM's public code", "[schedule]") {
  // [int(s) for s in np.linspace(0, np.sqrt(1000 * 0.8), S) ** 2], reversed: the code's own arithmetic, whose roundings
  // decide where a square is whole (16 steps), and its repetitions.
  CHECK(
      (quadratic_indices(1000, 16) == indices{800, 696, 600, 511, 430, 355, 287, 227, 174, 127, 88, 56, 31, 14, 3, 0}));
  CHECK((quadratic_indices(1000, 50) == indices{800, 767, 736, 705, 674, 645, 616, 587, 560, 533, 506, 481, 456,
                                                431, 408, 385, 362, 341, 320, 299, 280, 261, 242, 225, 208, 191,
                                                176, 161, 146, 133, 120, 107, 96,  85,  74,  65,  56,  47,  40,
                                                33,  26,  21,  16,  11,  8,   5,   2,   1,   0,   0}));
  CHECK((quadratic_indices(1000, 100) ==
         indices{800, 783, 768, 752, 736, 721, 705, 690, 675, 661, 646, 632, 617, 603, 589, 575, 562, 548, 535, 522,
                 509, 496, 483, 471, 459, 446, 434, 423, 411, 399, 388, 377, 366, 355, 344, 334, 323, 313, 303, 293,
                 284, 274, 265, 255, 246, 238, 229, 220, 212, 204, 195, 188, 180, 172, 165, 158, 150, 143, 137, 130,
                 124, 117, 111, 105, 99,  94,  88,  83,  78,  73,  68,  63,  59,  55,  51,  47,  43,  39,  35,  32,
                 29,  26,  23,  20,  18,  15,  13,  11,  9,   8,   6,   5,   3,   2,   2,   1,   0,   0,   0,   0}));
  // A step from an index to itself changes nothing, so the grids pass each index once and in the list's order.
  for (const std::size_t steps : {16u, 20u, 50u, 100u}) {
    const indices all = quadratic_indices(1000, steps);
    const time_grid grid = quadratic_grid(1000, steps);
    std::size_t at = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i > 0 && all[i] == all[i - 1]) continue;
      REQUIRE(at < grid.steps());
      CHECK(grid[at].t.value == static_cast<double>(all[i] + 1) / 1000.0);
      ++at;
    }
    check_joined(grid, at);
  }
  CHECK(quadratic_grid(1000, 50).steps() == 49);
  CHECK(quadratic_grid(1000, 100).steps() == 96);
}

TEST_CASE("the spacing of Karras et al. 2022 has the reference values and reaches them under any corruption",
          "[schedule]") {
  const auto edm = karras_sigmas(18, 0.002, 80.0);
  CHECK(edm.front() == 80.0);
  CHECK_THAT(edm[1], as_printed("57.5859847212"));
  CHECK_THAT(edm[2], as_printed("40.7855737965"));
  CHECK_THAT(edm[3], as_printed("28.3745846042"));
  CHECK_THAT(edm[4], as_printed("19.3524529803"));
  for (std::size_t i = 0; i < 18; ++i) {
    const double high = std::pow(80.0, 1.0 / 7), low = std::pow(0.002, 1.0 / 7);
    CHECK_THAT(edm[i], WithinRel(std::pow(high + static_cast<double>(i) / 17 * (low - high), 7), 1e-12));
  }
  CHECK(edm.back() == 0.002);
  const auto square = karras_sigmas(3, 1.0, 100.0, 2.0);
  CHECK((square[0] == 100.0 && std::abs(square[1] - 30.25) < 1e-13 && square[2] == 1.0));

  // sigma(t) = 80 t, as EDM counts time: the whole list is reached, and then 0.
  const corruption straight{identity{}, karras_sigma{.sigma_min = 0.0, .sigma_max = 80.0, .rho = 1.0}};
  const auto grid = karras_grid(straight, 18);
  check_joined(grid, 18);
  CHECK(grid.start().value == 1.0);
  for (std::size_t i = 0; i < 18; ++i) CHECK_THAT(straight.sigma(grid[i].t), WithinRel(edm[i], 1e-12));
  // Where the signal shrinks too, sigma / a takes the values.
  const corruption preserving{scaling{}, variance_preserving{}};
  const auto shrinking = karras_grid(preserving, 12, 0.01, 100.0);
  check_joined(shrinking, 12);
  const auto wanted = karras_sigmas(12, 0.01, 100.0);
  for (std::size_t i = 0; i < 12; ++i) {
    const diffusion_time t = shrinking[i].t;
    CHECK_THAT(preserving.sigma(t) / preserving.signal_gain(t), WithinRel(wanted[i], 1e-10));
  }
  CHECK_REFUSED(karras_grid(preserving, 5, 0.01, 1000.0),
                "log-SNR is -13.815510557964274, but it must be between that of time 1");
  // A list in braces is a list.
  const auto braces = grid_of_noise(straight, {80.0, 40.0});
  CHECK((braces.steps() == 2 && braces[0].t.value == 1.0 && std::abs(braces[1].t.value - 0.5) < 1e-15));
  const auto of_table = grid_of_indices(4, {3, 1});
  CHECK((of_table.steps() == 2 && of_table[0].t.value == 1.0 && of_table[1].t.value == 0.5));
  CHECK_REFUSED(grid_of_indices(4, {4, 1}), "index is 4, but it must be below the number of steps of the table");
  CHECK_REFUSED(karras_grid(preserving, 5, 0.0), "least is 0, but it must be above 0 and below most");
  CHECK_REFUSED(karras_grid(corruption{identity{}, karras_sigma{}}, 5),
                "ratio of noise to signal is 0.002, but it must be above that of time 0, where the grid ends");
  CHECK_REFUSED(karras_grid(preserving, 0), "count is 0, but it must be at least 1");
}

TEST_CASE("even steps of log-SNR", "[schedule]") {
  const corruption preserving{scaling{}, variance_preserving{}};
  const auto grid = log_snr_grid(preserving, 9, 1.0, 1e-3);
  check_joined(grid, 9);
  CHECK(grid[8].t.value == 1e-3);
  const double first = preserving.log_snr(diffusion_time{1.0}), last = preserving.log_snr(diffusion_time{1e-3});
  for (std::size_t i = 0; i < 9; ++i)
    CHECK_THAT(preserving.log_snr(grid[i].t), WithinAbs(first + static_cast<double>(i) * (last - first) / 8, 1e-9));
  check_joined(log_snr_grid(preserving, 1), 1);
  CHECK_REFUSED(log_snr_grid(preserving, 5, 1.0, 0.0), "last is 0, but it must be above 0 and below from");
  CHECK_REFUSED(log_snr_grid(preserving, 0), "steps is 0");
}
