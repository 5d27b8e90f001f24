// After its first call an operator takes nothing from the heap, whatever the levels.
#include "catch.hpp"

#include <cstddef>
#include <span>
#include <vector>

#include <softscore/sampling.hpp>

#include "heap.hpp"
#include "random_batch.hpp"

using namespace softscore;

namespace {

template <class Op>
std::size_t taken_by(const Op& op, const shape& extent) {
  serial_backend be;
  const auto in = random_batch<float>(be, extent, 1);
  auto out = be.make<float>(extent);
  std::vector<level> levels(extent.images, level{0.5});
  const auto everything = [&] {
    for (const per_image<level>& at :
         {per_image<level>{level{0.5}}, per_image<level>{std::span<const level>{levels}}}) {
      degradation<Op>::apply(op, be, at, in.view(), out.view());
      degradation<Op>::adjoint(op, be, at, in.view(), out.view());
      if constexpr (DifferentiableInLevel<Op>) degradation<Op>::derivative(op, be, at, in.view(), out.view());
    }
  };
  everything();
  return heap::allocations(everything);
}

}  // namespace

TEST_CASE("operators take nothing from the heap after their first call", "[operator]") {
  const shape extent{3, 3, 6, 8};
  CHECK(taken_by(identity{}, extent) == 0);
  CHECK(taken_by(scaling{}, extent) == 0);
  CHECK(taken_by(gaussian_blur{4}, extent) == 0);
  CHECK(taken_by(dct_blur{}, extent) == 0);
  CHECK(taken_by(fft_blur{}, extent) == 0);
  CHECK(taken_by(motion_blur{30.0}, extent) == 0);
  CHECK(taken_by(kernel_blur{3, 3, std::vector<double>(9, 0.1)}, extent) == 0);
  CHECK(taken_by(periodic_blur{3, 3, std::vector<double>(9, 0.1)}, extent) == 0);
  CHECK(taken_by(centered_mask{}, extent) == 0);
  CHECK(taken_by(random_mask{}, extent) == 0);
  CHECK(taken_by(free_form_mask{6, 8, std::vector<double>(48, 1.0)}, extent) == 0);
  CHECK(taken_by(fade{}, extent) == 0);
  CHECK(taken_by(eraser{6, 8, 10}, extent) == 0);
  CHECK(taken_by(box_downsampling{}, extent) == 0);
  CHECK(taken_by(bicubic_downsampling{}, extent) == 0);
  CHECK(taken_by(color_removal{}, extent) == 0);
  CHECK(taken_by(paced{dct_blur{}, 3.0} * fade{}, extent) == 0);
  CHECK(taken_by(side_by_side{gaussian_blur{2}, paced{scaling{}, 2.0}}, extent) == 0);
  // The counter counts.
  CHECK(heap::allocations([] { std::vector<double> one(1); }) >= 1);
}
