// Schedules of the field: the numbers of their papers (Ho et al. 2020; Song et al. 2021; Nichol and Dhariwal 2021;
// Kingma et al. 2021; Crowson and Pressman 2021; Karras et al. 2022; Rombach et al. 2022; Jabri et al. 2022; Chen 2023;
// Xu et al. 2022; Salimans and Ho 2022; Lu et al. 2022a; Daras et al. 2022; Lin et al. 2023; Lipman et al. 2023; Liu et
// al. 2023), rates against differences, log-SNR that falls.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/flow_matching.hpp>
#include <softscore/corruption/karras_sigma.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/log_snr.hpp>
#include <softscore/corruption/scaled_linear_beta.hpp>
#include <softscore/corruption/sigmoid.hpp>
#include <softscore/corruption/simultaneous.hpp>
#include <softscore/corruption/sub_variance_preserving.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>

#include "printed.hpp"
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

// The same for d a / dt, of smaller numbers, and at the end, where the level may be infinite, against a difference to
// one side: error h/2 of the second derivative, below 10 here.
template <class S>
void check_gain_rate(const S& s) {
  const corruption shrinking{scaling{}, s};
  const double h = 1e-5;
  for (const double t : {0.1037, 0.5003, 0.8999})
    CHECK_THAT(shrinking.signal_gain_rate(diffusion_time{t}),
               WithinAbs((gain_of(s, t + h) - gain_of(s, t - h)) / (2 * h), 3e-6));
  CHECK_THAT(shrinking.signal_gain_rate(diffusion_time{1.0}),
             WithinAbs((gain_of(s, 1.0) - gain_of(s, 1.0 - h)) / h, 1e-4));
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

TEST_CASE("the cosine schedule has the numbers of Nichol and Dhariwal 2021", "[schedule]") {
  const cosine_beta table;
  // The reference values count indices from 0 and have 12 digits. The first beta is 1 - f(1/T) / f(0) in float64, where
  // rounding the cosines, their squares, the ratio and the difference leaves four half units of 1; exact to 16 digits
  // it is 4.12842248217778e-5.
  CHECK_THAT(table.beta(1), WithinAbs(4.12842248220e-5, 4 * 1.2e-16));
  CHECK_THAT(table.beta(1), WithinRel(4.128422482177780e-5, 1e-14));
  CHECK_THAT(abar_of(table, 500), as_printed("0.493843590441"));
  CHECK_THAT(noise_ratio(table, 1.0), as_printed("20291.1696100"));
  // The product of what the capped betas leave of f(i / T) / f((i - 1) / T).
  long double product = 1, before = 0;
  for (int i = 0; i <= 1000; ++i) {
    const long double cosine_of = std::cos(std::numbers::pi_v<long double> / 2 * (i / 1000.0L + 0.008L) / 1.008L);
    if (i > 0) product *= std::max(1 - 0.999L, cosine_of * cosine_of / (before * before));
    before = cosine_of;
  }
  CHECK_THAT(noise_ratio(table, 1.0), WithinRel(static_cast<double>(std::sqrt((1 - product) / product)), 1e-12));
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
  check_gain_rate(continuous);
  check_gain_rate(cosine{.horizon = 0.9946});
  CHECK_REFUSED((corruption{scaling{}, cosine{.horizon = 1.5}}),
                "horizon is 1.5, but it must be above 0 and at most 1");
  CHECK_REFUSED(cosine_beta(1000, 1.0), "cap is 1, but it must be between 0 and 1");
  CHECK_REFUSED(cosine_beta(0), "steps is 0, but it must be at least 1");
}

TEST_CASE("zero terminal SNR keeps the first signal and ends without one", "[schedule]") {
  const beta_table rescaled = zero_terminal_snr(linear_beta{});
  CHECK_THAT(abar_of(rescaled, 1), WithinRel(0.9999, 1e-15));
  CHECK_THAT(abar_of(rescaled, 500), as_printed("0.0760287505471"));
  CHECK_THAT(abar_of(rescaled, 999), as_printed("4.21326246509e-9"));
  // a shifted by its last value and scaled so that the first stays. Near the end the difference of two values of a
  // costs 1e-16 a / (a - a_T) of it: 5e-13 where 6e-5 is left of .2, of which abar has twice.
  const linear_beta table;
  const auto gain = [&](std::size_t i) { return std::exp(0.5 * table.log_abar(i)); };
  for (const std::size_t i : {2u, 500u, 900u, 999u}) {
    const double a = gain(1) * (gain(i) - gain(1000)) / (gain(1) - gain(1000));
    CHECK_THAT(abar_of(rescaled, i), WithinRel(a * a, 1e-12));
  }
  CHECK(gain_of(rescaled, 1.0) == 0.0);
  CHECK(rescaled.sigma_at(diffusion_time{1.0}) == 1.0);
  CHECK_THAT(rescaled.beta(1000), WithinAbs(1.0, 0.0));
  check_preserves_and_rises(rescaled);
  // Half-way to the last index half of a is left.
  CHECK_THAT(gain_of(rescaled, 0.9995), WithinRel(0.5 * gain_of(rescaled, 0.999), 1e-11));
  CHECK(rescaled.sigma_rate_at(diffusion_time{1.0}) == 0.0);
  check_gain_rate(rescaled);
  check_gain_rate(linear_beta{});
  check_gain_rate(variance_preserving{});
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

TEST_CASE("the scaled linear table has the reference values", "[schedule]") {
  const scaled_linear_beta table;
  CHECK_THAT(abar_of(table, 1000), as_printed("0.00466009851308"));
  CHECK_THAT(noise_ratio(table, 0.001), as_printed("0.0291671581517"));
  CHECK_THAT(noise_ratio(table, 1.0), as_printed("14.6146412293"));
  long double product = 1;
  for (int i = 0; i < 1000; ++i) {
    const long double root = std::sqrt(0.00085L) + i * (std::sqrt(0.012L) - std::sqrt(0.00085L)) / 999;
    product *= 1 - root * root;
  }
  CHECK_THAT(abar_of(table, 1000), WithinRel(static_cast<double>(product), 1e-12));
  CHECK_THAT(noise_ratio(table, 1.0), WithinRel(static_cast<double>(std::sqrt((1 - product) / product)), 1e-12));
  // The root of beta is linear.
  for (std::size_t i = 2; i < 1000; ++i)
    CHECK_THAT(2 * std::sqrt(table.beta(i)),
               WithinRel(std::sqrt(table.beta(i - 1)) + std::sqrt(table.beta(i + 1)), 1e-9));
  check_preserves_and_rises(table);
  CHECK(scaled_linear_beta{1}.steps() == 1);
  CHECK_REFUSED(scaled_linear_beta(0), "steps is 0");
  CHECK_REFUSED(scaled_linear_beta(10, 0.0), "first beta is 0, but it must be between 0 and 1");
}

TEST_CASE("sub-VP has the reference noise and the gain of VP", "[schedule]") {
  const sub_variance_preserving sub;
  CHECK_THAT(sub.sigma_at(diffusion_time{0.5}), as_printed("0.920936187547"));
  CHECK_THAT(sub.sigma_at(diffusion_time{0.5}), WithinRel(1 - std::exp(-(0.05 + 19.9 / 8)), 1e-12));
  const variance_preserving preserving;
  for (int i = 0; i <= 100; ++i) {
    const diffusion_time t{i / 100.0};
    CHECK_THAT(sub.level_at(t).value, WithinRel(preserving.level_at(t).value, 1e-15));
    // 1 - exp(-B) is the square of VP's sigma.
    CHECK_THAT(sub.sigma_at(t), WithinAbs(std::pow(preserving.sigma_at(t), 2), 1e-15));
  }
  check_rates(sub);
  CHECK_REFUSED((corruption{scaling{}, sub_variance_preserving{.rate_first = -1}}), "rate_first is -1");
}

TEST_CASE("sigmoid schedules have the ends and the middle of their formulas", "[schedule]") {
  const sigmoid_gain gain;
  CHECK(gain.level_at(diffusion_time{0.0}).value == 0.0);
  CHECK(gain.sigma_at(diffusion_time{0.0}) == 0.0);
  // At the symmetric middle half of the variance is signal.
  CHECK_THAT(std::pow(gain.sigma_at(diffusion_time{0.5}), 2), WithinAbs(0.5, 1e-15));
  CHECK(gain.sigma_at(diffusion_time{1.0}) == 1.0);
  CHECK(gain.level_at(diffusion_time{1.0}).value == std::numeric_limits<double>::infinity());
  // abar at 1/4 is (S(3) - S(-1.5)) / (S(3) - S(-3)) = (1 + tanh(.75) / tanh(1.5)) / 2.
  CHECK_THAT(std::pow(gain_of(gain, 0.25), 2), WithinAbs(0.5 * (1 + std::tanh(0.75) / std::tanh(1.5)), 1e-15));
  check_preserves_and_rises(gain);
  check_rates(gain);
  check_rates(sigmoid_gain{.start = 0.0, .end = 3.0, .temperature = 0.7, .horizon = 0.9});
  CHECK_REFUSED((corruption{scaling{}, sigmoid_gain{.start = 4.0}}), "start is 4, but it must be finite and below end");

  const sigmoid_beta table;
  // beta_1 and beta_T are off their limits by 1 / (1 + e^6) of the way, and the ends are symmetric.
  CHECK_THAT(table.beta(1), WithinRel(1e-4 + 0.0199 / (1 + std::exp(6.0)), 1e-12));
  CHECK_THAT(table.beta(1) + table.beta(1000), WithinRel(0.0201, 1e-12));
  check_preserves_and_rises(table);
}

TEST_CASE("log-SNR schedules have the reference values and the log-SNR asked for", "[schedule]") {
  const log_snr_schedule<ddpm_log_snr> of_ddpm;
  const corruption noise{scaling{}, of_ddpm};
  CHECK_THAT(of_ddpm.rule.log_snr_at(diffusion_time{0.0}), as_printed("9.21029037156"));
  CHECK_THAT(of_ddpm.rule.log_snr_at(diffusion_time{0.5}), as_printed("-2.41445845832"));
  CHECK_THAT(of_ddpm.rule.log_snr_at(diffusion_time{1.0}), as_printed("-10.0000546036"));
  // Not 0, so that a start from noise alone is approximate.
  CHECK_THAT(noise.signal_gain(diffusion_time{1.0}), as_printed("0.00673761011016"));
  // The same as VP whose integral B is 1e-4 + 10 t^2.
  for (const double t : {0.0, 0.2, 0.6, 1.0})
    CHECK_THAT(of_ddpm.level_at(diffusion_time{t}).value, WithinRel(0.5 * (1e-4 + 10 * t * t), 1e-12));

  const corruption linear{scaling{}, log_snr_schedule<linear_log_snr>{{.most = 9.0, .least = -7.0}}};
  for (int i = 0; i <= 10; ++i) {
    const double t = i / 10.0;
    CHECK_THAT(linear.log_snr(diffusion_time{t}), WithinAbs(9.0 - 16.0 * t, 1e-13));
    CHECK_THAT(noise.log_snr(diffusion_time{t}), WithinAbs(of_ddpm.rule.log_snr_at(diffusion_time{t}), 1e-11));
  }
  check_preserves_and_rises(of_ddpm);
  check_preserves_and_rises(linear.schedule());
  check_rates(of_ddpm);
  check_rates(linear.schedule());
  CHECK_REFUSED((corruption{scaling{}, log_snr_schedule<linear_log_snr>{{.most = 1.0, .least = 1.0}}}),
                "least is 1, but it must be finite and below most");
}

TEST_CASE("every log-SNR is found again at its time", "[schedule]") {
  const auto check = [](const auto& c) {
    for (const double t : {1e-6, 0.003, 0.3, 0.77, 0.99}) {
      const double lambda = c.log_snr(diffusion_time{t});
      // A table takes times within 1e-9 (1 + i) / T of an index for that index; elsewhere rounding alone is left.
      CHECK_THAT(c.time_of_log_snr(lambda).value, WithinRel(t, 1.4e-9));
    }
    CHECK_REFUSED(c.time_of_log_snr(-1e9), "log-SNR is -1e+09, but it must be between that of time 1");
  };
  check(corruption{scaling{}, variance_preserving{}});
  check(corruption{scaling{}, sub_variance_preserving{}});
  check(corruption{scaling{}, cosine{.horizon = 0.9946}});
  check(corruption{scaling{}, sigmoid_gain{.horizon = 0.99}});
  check(corruption{scaling{}, linear_beta{}});
  check(corruption{scaling{}, log_snr_schedule<linear_log_snr>{}});
  check(corruption{identity{}, variance_exploding{}});
  check(corruption{identity{}, karras_sigma{}});
  const corruption line{scaling{}, flow_matching{}};
  CHECK(line.log_snr(diffusion_time{1.0}) == -std::numeric_limits<double>::infinity());
  CHECK(line.log_snr(diffusion_time{0.0}) == std::numeric_limits<double>::infinity());
  CHECK_THAT(line.time_of_log_snr(0.0).value, WithinAbs(0.5, 1e-15));
  // The ends are exact.
  const corruption linear{scaling{}, log_snr_schedule<linear_log_snr>{}};
  for (const double t : {0.0, 1.0}) CHECK(linear.time_of_log_snr(linear.log_snr(diffusion_time{t})).value == t);
}

TEST_CASE("the sigma of Karras et al. 2022 has the reference values at equal steps of time", "[schedule]") {
  const karras_sigma sigma;
  const char* wanted[] = {"80.0000000000", "57.5859847212", "40.7855737965", "28.3745846042", "19.3524529803"};
  for (int i = 0; i < 18; ++i) {
    const double t = 1.0 - i / 17.0, root = std::pow(0.002, 1.0 / 7) * (1 - t) + std::pow(80.0, 1.0 / 7) * t;
    if (i < 5) CHECK_THAT(sigma.sigma_at(diffusion_time{t}), as_printed(wanted[i]));
    CHECK_THAT(sigma.sigma_at(diffusion_time{t}), WithinRel(std::pow(root, 7), 1e-12));
  }
  CHECK_THAT(sigma.sigma_at(diffusion_time{0.0}), WithinRel(0.002, 1e-14));
  check_rates(karras_sigma{.sigma_max = 2.0});
  const karras_sigma straight{.sigma_min = 0.0, .sigma_max = 80.0, .rho = 1.0};
  for (const double t : {0.0, 0.25, 1.0}) CHECK(straight.sigma_at(diffusion_time{t}) == 80.0 * t);
  CHECK_REFUSED((corruption{identity{}, karras_sigma{.sigma_min = 90}}), "sigma_min is 90");
}

TEST_CASE("noise and corruption rise together", "[schedule]") {
  // Daras et al. 2022, Appendix F.1.1: from .01 to .1 as .01 * 10^t, the level linear or geometric.
  const simultaneous linear{}, geometric{.level_min = 0.3, .levels = spacing::geometric};
  CHECK_THAT(linear.sigma_at(diffusion_time{0.5}), WithinRel(0.01 * std::sqrt(10.0), 1e-14));
  CHECK(linear.level_at(diffusion_time{0.5}).value == 7.0);
  CHECK_THAT(geometric.level_at(diffusion_time{0.5}).value, WithinRel(std::sqrt(0.3 * 14.0), 1e-14));
  CHECK_THAT(geometric.level_at(diffusion_time{1.0}).value, WithinRel(14.0, 1e-14));
  check_rates(linear);
  check_rates(geometric);
  CHECK_REFUSED(simultaneous{.levels = spacing::geometric}.check(), "level_min is 0, but it must be above 0");
}

TEST_CASE("the flow_matching is a straight line", "[schedule]") {
  const flow_matching line;
  for (int i = 0; i <= 100; ++i) {
    const double t = i / 100.0;
    CHECK_THAT(gain_of(line, t) + line.sigma_at(diffusion_time{t}), WithinAbs(1.0, 1e-15));
  }
  CHECK(gain_of(line, 1.0) == 0.0);
  check_gain_rate(line);
  check_rates(line);
}
