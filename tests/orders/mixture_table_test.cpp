// Part of the table on mixtures that ./dev orders writes, and what it is measured with: the small mixtures, the paths
// by fine steps, and the quadrature of a chain's transition kernel, each against something known.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/mixture_denoiser.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/momentum.hpp>

#include "mixture_row.hpp"
#include "order_table.hpp"

using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

auto slow_noise() { return corruption{scaling{}, variance_preserving{.rate_first = 1.0, .rate_last = 6.0}}; }

template <int D, class C>
void check_estimate(const C& corruption, const std::vector<small_component<D>>& data) {
  gaussian_mixture same;
  for (const auto& each : data) same.push_back({each.weight, each.mean, each.covariance});
  const small_mixture<D, C> small{corruption, data};
  const mixture_denoiser large{corruption, same, small.image};
  serial_backend be;
  const shape two = small.image.with_images(2);
  auto x = be.make<double>(two), a = be.make<double>(two), b = be.make<double>(two);
  for (std::size_t i = 0; i < two.size(); ++i) x.view()[i] = std::sin(1.0 + 2.0 * static_cast<double>(i));
  auto of_small = small.template workspace<double>(be, two);
  auto of_large = large.template workspace<double>(be, two);
  for (const double t : {0.1, 0.6, 1.0}) {
    const condition q{{0, 2}, diffusion_time{t}};
    const view<const double, host_space> seen = x.view();
    small.estimate(be, q, seen, a.view(), of_small);
    large.estimate(be, q, seen, b.view(), of_large);
    // A few operations on numbers of size 1; the inverse of a matrix whose condition is below 100.
    for (std::size_t i = 0; i < two.size(); ++i) CHECK_THAT(a.view()[i], WithinAbs(b.view()[i], 1e-13));
  }
}

mixture_place<1, decltype(slow_noise())> on_a_line(const std::vector<small_component<1>>& data) {
  return {{"VP", "identity"}, slow_noise(), data, data, {1.0}};
}

// The share of a mixture below x, and where it is a given one.
double share_below(const std::vector<small_component<1>>& mixture, double x) {
  double sum = 0;
  for (const auto& each : mixture)
    sum += 0.5 * each.weight * std::erfc((each.mean[0] - x) / std::sqrt(2.0 * each.covariance(0, 0)));
  return sum;
}
double quantile(const std::vector<small_component<1>>& mixture, double share) {
  double low = -20, high = 20;
  for (int i = 0; i < 80; ++i) {
    const double middle = 0.5 * (low + high);
    (share_below(mixture, middle) < share ? low : high) = middle;
  }
  return low;
}

}  // namespace

TEST_CASE("the small mixtures' estimates are those of mixture_denoiser", "[sampler]") {
  check_estimate(slow_noise(), heaps_on_a_line());
  check_estimate(blurring(), heaps_in_a_plane());
  check_estimate(blurring(), heaps_in_the_difference());
}

TEST_CASE("on a line the fine paths of the flow are the map between quantiles", "[sampler]") {
  // The flow in one dimension keeps the order of points, so it keeps the share below each.
  auto at = on_a_line(heaps_on_a_line());
  const auto starts = at.starts(motion::flow);
  const auto& ends = at.ends(motion::flow);
  const auto first = at.on_line(first_time), last = at.on_line(last_time);
  for (std::size_t i = 0; i < starts.size(); ++i)
    // Shares are known to 1e-16 and densities here are above 1e-3; sums of 16,384 roundings.
    CHECK_THAT(ends[i][0], WithinAbs(quantile(last, share_below(first, starts[i][0])), 1e-12));
}

TEST_CASE("the quadrature of a chain is exact where all is normal", "[sampler]") {
  // Data N(0.3, 0.5): momentum's mean and variance go through its two numbers, and the fourth moment is 3 V^2.
  const double mean = 0.3, variance = 0.5;
  const auto at = on_a_line({{1.0, small_vector<1>{mean}, small_matrix<1>{variance}}});
  const auto& c = at.corruption();
  const auto gain = [&](double t) { return c.signal_gain(diffusion_time{t}); };
  const time_grid grid = uniform_grid(64, first_time, last_time);
  double m = gain(1.0) * mean, v = gain(1.0) * gain(1.0) * variance + std::pow(at.sigma(1.0), 2);
  for (std::size_t i = 0; i < grid.steps(); ++i) {
    const double t = grid[i].t.value, s = grid[i].s.value;
    const auto [keep, add] = momentum{}.weights(c, grid[i]);
    const double seen = gain(t) * gain(t) * variance + std::pow(at.sigma(t), 2);
    const double slope = gain(t) * variance / seen;
    const double state = (gain(s) - keep * gain(t)) * slope + keep;
    m = (gain(s) - keep * gain(t)) * (mean - slope * gain(t) * mean) + state * m;
    v = state * state * v + add * add;
  }
  const auto found = moments_of_chain(momentum{}, at, {first_time, last_time, 400, {8}}, 64, m);
  // Polynomials of degree 4 are in the space of the interpolation and of the rule; what is cut off at 7.5 deviations is
  // 1e-13 of the mass at up to 7.5^4 V^2.
  CHECK_THAT(found[0], WithinAbs(0.0, 1e-9));
  CHECK_THAT(found[1], WithinAbs(v, 1e-9));
  CHECK_THAT(found[2], WithinAbs(3 * v * v, 1e-9));

  // x' = C h + keep (x - C h) + add z from t to t: M = C J + keep (1 - C J) and V = add^2 / (1 - M^2).
  const double sigma = at.sigma(limit_to), a = gain(limit_to), seen = a * a * variance + sigma * sigma;
  const double add = 0.5 * sigma, keep = std::sqrt(0.75), clean = a * a * variance / seen;
  const double slope = clean + keep * (1 - clean), standing = add * add / (1 - slope * slope);
  const auto left = standing_moments(at, limit_to, {keep, add}, a * mean);
  CHECK_THAT(left[0], WithinAbs(0.0, 1e-9));
  CHECK_THAT(left[1], WithinAbs(standing, 1e-9));
  CHECK_THAT(left[2], WithinAbs(3 * standing * standing, 1e-9));
}

TEST_CASE("a finer quadrature of a chain changes nothing that the table shows", "[sampler]") {
  // The least error of a chain in the table is 1e-6, beside a limit, and 1e-4, beside the marginals.
  const auto at = on_a_line(heaps_on_a_line());
  const auto usual = moments_of_chain(ddim{0.5}, at, {first_time, last_time, 400, {8}}, 64, 0.0),
             finer = moments_of_chain(ddim{0.5}, at, {first_time, last_time, 800, {12}}, 64, 0.0);
  CHECK(largest_gap(usual, finer) < 1e-6);
  const auto short_way = moments_of_chain(ddim{0.5}, at, {limit_from, limit_to, 200, {8}}, 64, 0.0),
             finer_there = moments_of_chain(ddim{0.5}, at, {limit_from, limit_to, 400, {12}}, 64, 0.0);
  CHECK(largest_gap(short_way, finer_there) < 1e-8);
}

TEST_CASE("on mixtures under VP every sampler has its order, towards the marginal or its limit", "[sampler]") {
  const auto rows = mixture_table("VP", "identity");
  std::size_t others = 0;
  for (const order_row& row : rows) {
    CAPTURE(row.sampler, row.order(), row.limit);
    REQUIRE(row.fine.size() == 4);
    REQUIRE(row.stated > 0);
    CHECK_THAT(row.order(), WithinRel(static_cast<double>(row.stated), 0.1));
    for (std::size_t i = 1; i < 4; ++i) CHECK(row.fine[i].error < row.fine[i - 1].error);
    if (row.reason.empty()) continue;
    ++others;
    // What it tends to is not the marginal.
    CHECK(row.limit > 0.01);
    CHECK(row.fine[3].error < 0.1 * row.limit);
  }
  CHECK(others == 7);
  CHECK(rows.size() == 43);
}
