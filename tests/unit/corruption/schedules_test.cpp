// Schedules of the field: the numbers of EQUATIONS S1 to S8, V1 and V5, rates against differences, log-SNR that falls.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/operator/scaling.hpp>

#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

double abar_of(const beta_table& table, std::size_t index) { return std::exp(table.log_abar(index)); }

template <class S>
double gain_of(const S& s, double t) {
  return std::exp(-s.level_at(diffusion_time{t}).value);
}

// sigma / a.
template <class S>
double noise_ratio(const S& s, double t) {
  return s.sigma_at(diffusion_time{t}) / gain_of(s, t);
}

// Rates against central differences: their error is h^2/6 of the third derivative, which between .1 and .9 is below 1e5
// for all schedules here, and 1e-16/h of the values, below 60: 2e-6 and 1e-10 at h = 1e-5, so 3e-6 in all.
template <class S>
void check_rates(const S& s) {
  const double h = 1e-5;
  for (const double t : {0.1037, 0.3331, 0.5003, 0.7717, 0.8999}) {
    const auto slope = [&](auto f) { return (f(diffusion_time{t + h}) - f(diffusion_time{t - h})) / (2 * h); };
    CHECK_THAT(s.level_rate_at(diffusion_time{t}),
               WithinAbs(slope([&](diffusion_time u) { return s.level_at(u).value; }), 3e-6));
    CHECK_THAT(s.sigma_rate_at(diffusion_time{t}),
               WithinAbs(slope([&](diffusion_time u) { return s.sigma_at(u); }), 3e-6));
  }
}

// sigma / a rises on 1000 steps, which is log-SNR falling, and a^2 + sigma^2 = 1 to rounding.
template <class S>
void check_preserves_and_rises(const S& s) {
  for (int i = 0; i <= 1000; ++i) {
    const double t = i / 1000.0, a = gain_of(s, t), sigma = s.sigma_at(diffusion_time{t});
    CHECK_THAT(a * a + sigma * sigma, WithinAbs(1.0, 1e-14));
    if (i > 0) CHECK(noise_ratio(s, t) > noise_ratio(s, (i - 1) / 1000.0));
  }
}

}  // namespace

TEST_CASE("the cosine schedule has S8's and V1's numbers", "[schedule]") {
  const cosine_beta table;
  // V1 counts from 0; 12 printed digits. Its first beta is 1 - f(1/T) / f(0) in float64, where rounding the cosines,
  // their squares, the ratio and the difference leaves four half units of 1; exact to 16 digits it
  // is 4.12842248217778e-5.
  CHECK_THAT(table.beta(1), WithinAbs(4.12842248220e-5, 4 * 1.2e-16));
  CHECK_THAT(table.beta(1), WithinRel(4.128422482177780e-5, 1e-14));
  CHECK_THAT(abar_of(table, 500), WithinRel(0.493843590441, 2e-12));
  CHECK_THAT(noise_ratio(table, 1.0), WithinRel(20291.1696100, 1e-11));
  CHECK_THAT(table.beta(1000), WithinRel(0.999, 1e-12));
  check_preserves_and_rises(table);

  const cosine continuous;
  for (int i = 0; i < 1000; ++i) {
    // The table's abar where the cap has not bitten: 1000 products, each rounded.
    const double angle = 1.5707963267948966 * (i / 1000.0 + 0.008) / 1.008, zero = 1.5707963267948966 * 0.008 / 1.008;
    const double abar = std::pow(std::cos(angle) / std::cos(zero), 2);
    CHECK_THAT(std::pow(gain_of(continuous, i / 1000.0), 2), WithinAbs(abar, 1e-15));
    CHECK_THAT(abar_of(table, static_cast<std::size_t>(i)), WithinAbs(abar, 1e-13));
  }
  CHECK(continuous.level_at(diffusion_time{0.0}).value == 0.0);
  CHECK(continuous.sigma_at(diffusion_time{0.0}) == 0.0);
  CHECK(continuous.level_at(diffusion_time{1.0}).value == std::numeric_limits<double>::infinity());
  CHECK(continuous.sigma_at(diffusion_time{1.0}) == 1.0);
  CHECK(std::isfinite(cosine{.horizon = 0.9946}.level_at(diffusion_time{1.0}).value));
  CHECK_THAT((cosine{.horizon = 0.5}.level_at(diffusion_time{1.0}).value),
             WithinRel(continuous.level_at(diffusion_time{0.5}).value, 1e-15));
  check_preserves_and_rises(continuous);
  check_rates(continuous);
  check_rates(cosine{.horizon = 0.9946});
  CHECK_REFUSED((corruption{scaling{}, cosine{.horizon = 1.5}}),
                "horizon is 1.5, but it must be above 0 and at most 1");
  CHECK_REFUSED(cosine_beta(1000, 1.0), "cap is 1, but it must be between 0 and 1");
  CHECK_REFUSED(cosine_beta(0), "steps is 0, but it must be at least 1");
}

TEST_CASE("zero terminal SNR keeps the first signal and ends without one", "[schedule]") {
  const beta_table rescaled = zero_terminal_snr(linear_beta{});
  CHECK_THAT(abar_of(rescaled, 1), WithinRel(0.9999, 1e-15));
  CHECK_THAT(abar_of(rescaled, 500), WithinRel(0.0760287505471, 2e-12));
  CHECK_THAT(abar_of(rescaled, 999), WithinRel(4.21326246509e-9, 2e-12));
  CHECK(gain_of(rescaled, 1.0) == 0.0);
  CHECK(rescaled.sigma_at(diffusion_time{1.0}) == 1.0);
  CHECK_THAT(rescaled.beta(1000), WithinAbs(1.0, 0.0));
  check_preserves_and_rises(rescaled);
  // Half-way to the last index half of a is left.
  CHECK_THAT(gain_of(rescaled, 0.9995), WithinRel(0.5 * gain_of(rescaled, 0.999), 1e-11));
  CHECK(rescaled.sigma_rate_at(diffusion_time{1.0}) == 0.0);
  CHECK_REFUSED(zero_terminal_snr(linear_beta{1}),
                "steps is 1, but it must be at least 2 where the last signal is moved to 0");
}

TEST_CASE("a table of betas is taken as it is or refused", "[schedule]") {
  const beta_table table{{0.1, 0.5}};
  CHECK_THAT(abar_of(table, 2), WithinRel(0.45, 1e-15));
  // Between indices log abar is linear, so its rate is constant: that of the interval after an index.
  CHECK_THAT(table.level_rate_at(diffusion_time{0.2}), WithinRel(-std::log(0.9), 1e-14));
  CHECK_THAT(table.level_rate_at(diffusion_time{0.5}), WithinRel(-std::log(0.5), 1e-14));
  CHECK_THAT(table.level_rate_at(diffusion_time{1.0}), WithinRel(-std::log(0.5), 1e-14));
  check_rates(table);
  CHECK_REFUSED(beta_table({0.1, 1.0}), "beta is 1, but it must be at least 0 and below 1");
  CHECK_REFUSED(beta_table({-0.1}), "beta is -0.1, but it must be at least 0 and below 1");
  CHECK_REFUSED(beta_table::from_log_abar({0.0, -1.0, -0.5}), "log abar is -0.5, but it must be at most the entry");
}
