// Learning rates and averages as functions of the step.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>

#include <softscore/optim/averages.hpp>
#include <softscore/optim/learning_rate.hpp>

#include "printed.hpp"
#include "refusal.hpp"

using namespace softscore;

// Loshchilov and Hutter 2017, Eq. 5: eta_min + (eta_max - eta_min) (1 + cos(pi T_cur / T_i)) / 2.
TEST_CASE("the learning rate warms up, and then stays or decays to the end factor", "[optim]") {
  for (const double end : {0.0, 0.25}) {
    const learning_rate_schedule stays{{10}, rate_decay::constant, 110, end},
        linear{{10}, rate_decay::linear, 110, end}, cosine{{10}, rate_decay::cosine, 110, end};
    for (std::uint64_t k = 1; k <= 10; ++k) {
      for (const auto& each : {stays, linear, cosine}) CHECK(each.factor(k) == static_cast<double>(k) / 10.0);
    }
    for (std::uint64_t k = 11; k <= 110; ++k) {
      const double gone = static_cast<double>(k - 10) / 100.0;
      CHECK(stays.factor(k) == 1.0);
      CHECK(linear.factor(k) == Approx(end + (1 - end) * (1 - gone)).margin(1e-15));
      CHECK(cosine.factor(k) == Approx(end + (1 - end) * 0.5 * (1 + std::cos(std::numbers::pi * gone))).margin(1e-15));
    }
    CHECK(linear.factor(60) == Approx(0.5 * (1 + end)).epsilon(1e-15));
    CHECK(cosine.factor(60) == Approx(0.5 * (1 + end)).epsilon(1e-15));
    for (const auto& each : {linear, cosine}) {
      CHECK(each.factor(110) == end);
      CHECK(each.factor(111) == end);
      CHECK(each.factor(std::numeric_limits<std::uint32_t>::max()) == end);
    }
  }
  const learning_rate_schedule at_once{{}, rate_decay::linear, 1, 0.5};
  CHECK(at_once.factor(1) == 0.5);
}

TEST_CASE("an average keeps the share of its formula", "[optim]") {
  const std::size_t batch = 128;
  CHECK(ema_schedule{}.keep(5, batch) == 0.0);
  CHECK_FALSE(ema_schedule{});
  for (const double n : {1.0, 2.0, 17.0, 1000.0, 1e6}) {
    const auto step = static_cast<std::uint64_t>(n);
    CHECK(warmed_ema(0.999).keep(step, batch) == std::min(0.999, (1 + n) / (10 + n)));
    // Half of the weight is left after `images` images: 0.5^(128 / images) each step.
    CHECK(half_life_ema(5000).keep(step, batch) == Approx(std::exp2(-128.0 / 5000.0)).epsilon(1e-15));
    // The code of Karras et al. 2022: the half-life is at most a share of the images seen before.
    const double seen = (n - 1) * 128, half = std::max(std::min(500'000.0, 0.05 * seen), 1e-8);
    CHECK(half_life_ema(500'000, 0.05).keep(step, batch) == Approx(std::exp2(-128.0 / half)).epsilon(1e-12));
    // EMAModel of diffusers with use_ema_warmup.
    CHECK(inverse_gamma_ema(2.0, 0.75, 0.995).keep(step, batch) ==
          Approx(std::min(0.995, 1 - std::pow(1 + (n - 1) / 2.0, -0.75))).epsilon(1e-12));
    const auto power = power_ema(0.1);
    CHECK(power.keep(step, batch) == Approx(std::pow(1 - 1 / n, power.power)).epsilon(1e-12));
  }
  CHECK(half_life_ema(500'000, 0.05).keep(1, batch) == 0.0);
  CHECK(inverse_gamma_ema().keep(1, batch) == 0.0);
  CHECK(power_ema(0.1).keep(1, batch) == 0.0);
}

TEST_CASE("a half-life halves the weight of the start after as many images", "[optim]") {
  double weight = 1.0;
  for (std::uint64_t step = 1; step <= 125; ++step) weight *= half_life_ema(1000).keep(step, 8);
  CHECK(weight == Approx(0.5).epsilon(1e-13));  // 125 roundings
}

// Karras et al. 2024, Section 3.1: sigma_rel = 0.10 is gamma = 6.94, and 0.05 is gamma = 16.97.
TEST_CASE("the power average weighs the parameters of step k by k^gamma", "[optim]") {
  CHECK_THAT(power_ema(0.10).power - 1, as_printed("6.94"));
  CHECK_THAT(power_ema(0.05).power - 1, as_printed("16.97"));
  const auto average = power_ema(0.2);
  const double gamma = average.power - 1;
  CHECK(std::sqrt((gamma + 1) / (gamma + 3)) / (gamma + 2) == Approx(0.2).epsilon(1e-12));
  // The weight that step k has after N steps is (1 - keep(k)) times what later steps keep.
  const std::uint64_t last = 20'000;
  double later = 1.0, sum = 0.0, mean = 0.0, square = 0.0;
  for (std::uint64_t k = last; k >= 1; --k) {
    const double weight = (1 - average.keep(k, 1)) * later, t = static_cast<double>(k) / static_cast<double>(last);
    if (k > last / 2) {
      // (1 - (1 - 1/k)^(gamma + 1)) differs from (gamma + 1) / k by a share of gamma / 2k, and so does the product of
      // what is kept.
      CHECK(weight == Approx((gamma + 1) / static_cast<double>(last) * std::pow(t, gamma)).epsilon(1e-3));
    }
    sum += weight;
    mean += weight * t;
    square += weight * t * t;
    later *= average.keep(k, 1);
  }
  CHECK(sum == Approx(1.0).epsilon(1e-9));
  CHECK(std::sqrt(square - mean * mean) == Approx(0.2).epsilon(1e-3));
}

TEST_CASE("averages that cannot be are refused", "[optim]") {
  const double nan = std::nan("");
  CHECK_REFUSED(warmed_ema(0.0).check(), "largest share that the average keeps is 0");
  CHECK_REFUSED(warmed_ema(1.5).check(), "largest share that the average keeps is 1.5");
  CHECK_REFUSED(half_life_ema(0.0).check(), "half-life of the average in images is 0");
  CHECK_REFUSED(half_life_ema(10.0, nan).check(), "ramp of the average's half-life is nan");
  CHECK_REFUSED(inverse_gamma_ema(-1.0).check(), "inv_gamma of the average is -1");
  CHECK_REFUSED(inverse_gamma_ema(1.0, 0.0).check(), "power of the average is 0");
  CHECK_REFUSED(power_ema(0.3), "relative width of the average is 0.3");
  CHECK_REFUSED(power_ema(0.0), "relative width of the average is 0");
  for (const auto& fine : {ema_schedule{}, warmed_ema(0.9), half_life_ema(1.0), inverse_gamma_ema(), power_ema(0.2)})
    CHECK_NOTHROW(fine.check());
}
