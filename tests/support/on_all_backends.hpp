#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/sampler/integrate.hpp>

#include "catch.hpp"
#include "device_under_test.hpp"
#include "opaque_backend.hpp"
#include "random_batch.hpp"
#include "steady_denoiser.hpp"
#include "worse.hpp"

/// Draws images by `draw(backend)`, in six steps, on every backend that the compiler at hand can compile. Behind the
/// opaque door they have the serial bits. Elsewhere a compiler contracts and vectorizes another loop its own way,
/// oneTBB's blurs sum in another order and a GPU has its own functions: each of the `parts` of a step differs by at
/// most fifty roundings, each half of 2^-23 of the largest number, which no step magnifies.
template <class Draw>
void check_drawn_on_all_backends(const std::string& name, const Draw& draw, std::size_t parts = 1) {
  using namespace softscore;
  CAPTURE(name);
  const std::vector<float> here = draw(serial_backend{});
  REQUIRE(std::all_of(here.begin(), here.end(), [](float v) { return std::isfinite(v); }));
  const auto distance = [&](const std::vector<float>& there) {
    double most = 0.0;
    float largest = 0.0f;
    for (std::size_t i = 0; i < here.size(); ++i) {
      most = worse(most, static_cast<double>(std::abs(there[i] - here[i])));
      largest = std::max(largest, std::abs(here[i]));
    }
    return most / static_cast<double>(largest);
  };
  CHECK(distance(draw(opaque_backend{})) == 0.0);
  const double rounding = static_cast<double>(6 * parts) * 50 * 6e-8;
  CHECK(distance(draw(device_under_test{})) <= rounding);
#if !defined(__CUDACC__)
  CHECK(distance(draw(tbb_backend{2})) <= rounding);
#endif
}

/// The same for three images drawn with a sampler.
template <class S, class C, class D = steady_denoiser>
void check_on_all_backends(const std::string& name, const S& sampler, const C& corruption, const D& denoiser = {},
                           std::size_t parts = 1) {
  using namespace softscore;
  check_drawn_on_all_backends(
      name,
      [&](auto be) {
        const time_grid grid = uniform_grid(6, 1.0, 0.1);
        const auto end = integrate(be, sampler, corruption, denoiser, grid,
                                   draw_start<float>(be, corruption, grid, {1, 1, 8, 6}, {4, 3}, 3), 3);
        return values_of(be, end.x.view());
      },
      parts);
}
