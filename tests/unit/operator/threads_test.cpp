// The laws with threads, and the same numbers as without.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <softscore/backend/tbb/backend.hpp>
#include <softscore/operator/check_laws.hpp>
#include <softscore/sampling.hpp>

#include "random_batch.hpp"

using namespace softscore;

namespace {

template <class Op>
void alike(const Op& op, double level_max, const shape& extent = {6, 3, 7, 9}) {
  serial_backend serial;
  tbb_backend threads{2};
  const law_report report = check_laws(op, threads, {.level_max = level_max, .extents = {extent}});
  CAPTURE(report);
  CHECK(report.holds());
  std::vector<level> levels;
  for (std::size_t i = 0; i < extent.images; ++i) levels.push_back(level{level_max * static_cast<double>(i) / 5.0});
  const per_image<level> each{std::span<const level>{levels}};
  auto x = random_batch<float>(serial, extent, 1);
  auto one = serial.make<float>(extent), two = threads.make<float>(extent);
  degradation<Op>::apply(op, serial, each, x.view(), one.view());
  degradation<Op>::apply(op, threads, each, x.view(), two.view());
  CHECK((values_of(serial, one.view()) == values_of(threads, two.view())));
}

}  // namespace

TEST_CASE("operators obey the laws with threads, to the same bits", "[operator]") {
  alike(dct_blur{}, 5.0);
  alike(fft_blur{}, 5.0);
  alike(motion_blur{30.0}, 5.0);
  alike(kernel_blur{3, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}}, 1.0);
  alike(periodic_blur{3, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}}, 1.0);
  alike(random_mask{}, 1.0);
  alike(free_form_mask{7, 9, std::vector<double>(63, 0.5)}, 1.0);
  alike(box_downsampling{}, 6.0);
  alike(bicubic_downsampling{}, 4.0);
  alike(color_removal{}, 1.0);
  alike(paced{dct_blur{}, 3.0} * fade{}, 1.0);
  alike(side_by_side{fade{}, scaling{}}, 1.0);
}
