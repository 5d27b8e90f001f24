#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/sampler/drive.hpp>

#include "catch.hpp"
#include "device_under_test.hpp"
#include "opaque_backend.hpp"
#include "random_batch.hpp"
#include "steady_denoiser.hpp"

/// What a sampler may differ by between backends.
struct allowance {
  std::size_t parts = 1;       // of a step, each with its own roundings
  bool threads_round = false;  // oneTBB's blurs sum in an order of their own
};

/// Draws three images with a sampler on every backend that the compiler at hand can compile. On those of the host they
/// have the serial bits: the same arithmetic on each image, whichever loop it stands in. Where sums are made in another
/// order, and on a GPU, which rounds its own way, they differ by at most fifty roundings in each part of a step, each
/// half of 2^-23 of the largest number, which no step magnifies.
template <class S, class C, class D = steady_denoiser>
void check_on_all_backends(const std::string& name, const S& sampler, const C& corruption, const D& denoiser = {},
                           const allowance& may = {}) {
  using namespace softscore;
  CAPTURE(name);
  const auto draw = [&](auto be) {
    const time_grid grid = uniform_grid(6, 1.0, 0.1);
    const auto end = drive(be, sampler, corruption, denoiser, grid,
                           draw_start<float>(be, corruption, grid, {1, 1, 8, 6}, {4, 3}, 3), 3);
    return values_of(be, end.x.view());
  };
  const std::vector<float> here = draw(serial_backend{});
  REQUIRE(std::all_of(here.begin(), here.end(), [](float v) { return std::isfinite(v); }));
  const auto distance = [&](const std::vector<float>& there) {
    float most = 0.0f, largest = 0.0f;
    for (std::size_t i = 0; i < here.size(); ++i) {
      if (!(std::abs(there[i] - here[i]) <= most)) most = std::abs(there[i] - here[i]);
      largest = std::max(largest, std::abs(here[i]));
    }
    return static_cast<double>(most) / static_cast<double>(largest);
  };
  CHECK(distance(draw(opaque_backend{})) == 0.0);
  const double rounding = static_cast<double>(6 * may.parts) * 50 * 6e-8;
#if defined(__CUDACC__)
  CHECK(distance(draw(device_under_test{})) <= rounding);
#else
  CHECK(distance(draw(device_under_test{})) == 0.0);
  CHECK(distance(draw(tbb_backend{2})) <= (may.threads_round ? rounding : 0.0));
#endif
}
