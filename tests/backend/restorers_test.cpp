// Every sampler on every backend: those that reconstruct an image from a measurement.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/flow_matching.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddrm.hpp>
#include <softscore/sampler/diffpir.hpp>
#include <softscore/sampler/dps.hpp>
#include <softscore/sampler/pigdm.hpp>
#include <softscore/sampler/projection.hpp>
#include <softscore/sampler/repaint.hpp>

#include "on_all_backends.hpp"

using namespace softscore;

TEST_CASE("samplers for inverse problems draw the same on every backend", "[samplers]") {
  const corruption noise{scaling{}, variance_preserving{.rate_first = 0.5, .rate_last = 3.0}};
  std::vector<double> values(48);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(1.0 + static_cast<double>(i));
  const observation seen{shape{1, 1, 8, 6}, values};
  const measurement blurred{gaussian_blur{.half_width = 2}, level{0.8}, 0.3};
  const measurement masked{centered_mask{}, level{2.0}};
  // The pseudo-inverse of a blur would magnify roundings.
  check_on_all_backends("projection", projection{masked, seen}, noise);
  check_on_all_backends("diffpir", diffpir{blurred, seen}, noise);
  check_on_all_backends("pigdm", pigdm{blurred, seen}, noise);
  check_on_all_backends("dps", dps{blurred, seen}, noise);
  check_on_all_backends("ddrm", ddrm{blurred, seen}, noise);
  check_on_all_backends("repaint", repaint{masked, seen, 2}, noise);
}

TEST_CASE("restoration from a time without signal draws the same on every backend", "[samplers]") {
  const corruption line{scaling{}, flow_matching{}};
  std::vector<double> values(48);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(1.0 + static_cast<double>(i));
  const observation seen{shape{1, 1, 8, 6}, values};
  const measurement blurred{gaussian_blur{.half_width = 2}, level{0.8}, 0.3};
  check_on_all_backends("diffpir", diffpir{blurred, seen}, line);
  check_on_all_backends("pigdm", pigdm{blurred, seen}, line);
  check_on_all_backends("dps", dps{blurred, seen}, line);
  check_on_all_backends("ddrm", ddrm{blurred, seen}, line);
}
