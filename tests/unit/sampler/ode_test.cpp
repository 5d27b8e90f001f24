// The methods that integrate the probability-flow ODE in time (Daras et al. 2022, Eq. 19; Dormand and Prince 1980;
// Bashforth and Adams 1883; Liu et al. 2022), and the reverse SDE (Galerne 2024): their orders, what they have in
// common with the others, and Dormand and Prince's control of the error.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/flow_matching.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/adams_bashforth.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/dormand_prince.hpp>
#include <softscore/sampler/euler.hpp>
#include <softscore/sampler/euler_maruyama.hpp>
#include <softscore/sampler/midpoint.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/rk4.hpp>

#include "measured_order.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

template <class C>
void check_all(const C& corruption, std::size_t coarsest) {
  SECTION("euler") { check_orders(euler{}, corruption); }
  SECTION("midpoint") { check_orders(midpoint{}, corruption); }
  SECTION("rk4") { check_orders(rk4{}, corruption, 16); }
  SECTION("adams_bashforth<2>") { check_orders(adams_bashforth<2>{}, corruption); }
  SECTION("adams_bashforth<3>") { check_orders(adams_bashforth<3>{}, corruption); }
  SECTION("adams_bashforth<4>") { check_orders(adams_bashforth<4>{}, corruption); }
  SECTION("euler_maruyama") { check_orders(euler_maruyama{}, corruption, 64, 1); }
  // With a tolerance that nothing breaks every step of the grid is one step of the method.
  SECTION("dormand_prince") { check_orders(dormand_prince{1e9, 1e9, 1.0}, corruption, coarsest, 0, 1.5); }
}

}  // namespace

TEST_CASE("under exploding noise the methods in time have their order", "[sampler]") { check_all(exploding(), 16); }
TEST_CASE("under preserved variance the methods in time have their order", "[sampler]") { check_all(preserving(), 20); }
TEST_CASE("under a blur the methods in time have their order", "[sampler]") { check_all(blurring(), 64); }
TEST_CASE("under a fade the methods in time have their order", "[sampler]") { check_all(fading(), 24); }

namespace {

// sigma^2 = t, with C = I.
struct brownian {
  level level_at(diffusion_time) const { return level{0.0}; }
  double sigma_at(diffusion_time t) const { return std::sqrt(t.value); }
  double level_rate_at(diffusion_time) const { return 0.0; }
  double sigma_rate_at(diffusion_time t) const { return 0.5 / std::sqrt(t.value); }
};

// The largest difference between the maps of two samplers on a uniform grid: of the image, the constant and the noise.
template <class A, class B, class C>
double gap(const A& a, const B& b, const C& corruption, const time_grid& grid) {
  const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const affine_step first = measured_step(a, corruption, exact, gaussian_image, grid);
  const affine_step second = measured_step(b, corruption, exact, gaussian_image, grid);
  return std::max({(first.state - second.state).cwiseAbs().maxCoeff(),
                   (first.constant - second.constant).cwiseAbs().maxCoeff(),
                   (first.noise - second.noise).cwiseAbs().maxCoeff()});
}

}  // namespace

TEST_CASE("with differences of the signal in the place of its slope RK4 falls to order 2", "[sampler]") {
  // On one element of variance 1/2 under preserved variance: x stays x times a factor. The stages of the mistaken
  // method are (a_s - a_t) h - (sigma_s^2 - sigma_t^2) score / 2, at the stages' own times and points.
  const auto corruption = preserving();
  const shape one{1, 1, 1, 1};
  const gaussian_denoiser exact{corruption, Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Constant(1, 1, 0.5), one};
  const auto a = [&](double t) { return corruption.signal_gain(diffusion_time{t}); };
  const auto variance = [&](double t) { return std::pow(corruption.sigma(diffusion_time{t}), 2); };
  const auto by_differences = [&](const time_grid& grid) {
    double x = 1;
    for (std::size_t i = 0; i < grid.steps(); ++i) {
      const double t = grid[i].t.value, s = grid[i].s.value, middle = 0.5 * (t + s);
      const auto stage = [&](double at, double time) {
        const double spread = 0.5 * a(time) * a(time) + variance(time), h = 0.5 * a(time) / spread * at;
        return (a(s) - a(t)) * h + 0.5 * (variance(s) - variance(t)) / spread * at;
      };
      const double k1 = stage(x, t), k2 = stage(x + 0.5 * k1, middle), k3 = stage(x + 0.5 * k2, middle),
                   k4 = stage(x + k3, s);
      x += (k1 + 2 * k2 + 2 * k3 + k4) / 6;
    }
    return x;
  };
  const auto shipped = [&](const time_grid& grid) {
    return measured_step(rk4{}, corruption, exact, one, grid).state(0, 0);
  };
  // The flow keeps x over its own deviation.
  const double wanted = std::sqrt((0.5 * a(0.05) * a(0.05) + variance(0.05)) / (0.5 * a(1.0) * a(1.0) + variance(1.0)));
  const auto ratio = [&](const auto& factor) {
    return (factor(uniform_grid(32, 1.0, 0.05)) - wanted) / (factor(uniform_grid(64, 1.0, 0.05)) - wanted);
  };
  // 2^2 and 2^4, each with what the next term of its expansion leaves at 32 steps.
  CAPTURE(ratio(by_differences), ratio(shipped));
  CHECK_THAT(ratio(by_differences), Catch::Matchers::WithinRel(4.0, 0.01));
  CHECK_THAT(ratio(shipped), Catch::Matchers::WithinRel(16.0, 0.1));
}

TEST_CASE("Euler-Maruyama is momentum where the variance of the noise is a straight line", "[sampler]") {
  // Two ways to the same numbers, of size 1, over eight steps.
  const corruption walk{identity{}, brownian{}};
  CHECK(gap(euler_maruyama{}, momentum{}, walk, uniform_grid(8, 1.0, 0.1)) < 1e-13);
  CHECK(gap(euler_maruyama{}, momentum{}, walk, uniform_grid(8)) < 1e-13);
  CHECK(gap(euler_maruyama{}, momentum{}, exploding(), uniform_grid(8, 1.0, 0.1)) > 1e-3);
}

TEST_CASE("on a straight line from image to noise, Euler's step in time is DDIM's", "[sampler]") {
  // Flow matching: x_t = (1 - t) x_0 + t z, x_s = x_t + (s - t) v with v = (x_t - h) / t.
  const corruption line{scaling{}, flow_matching{}};
  CHECK(gap(euler{}, ddim{}, line, uniform_grid(8, 0.99, 0.1)) < 1e-13);
  CHECK(gap(euler{}, ddim{}, line, uniform_grid(8, 0.99)) < 1e-13);
  // From noise alone, where the level is infinite and the slope of a is still -1.
  CHECK(gap(euler{}, ddim{}, line, uniform_grid(8)) < 1e-13);
  const gaussian_denoiser exact{line, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const double t = 0.8, s = 0.7;
  const affine_step step = measured_step(euler{}, line, exact, gaussian_image, time_grid{{t, s}});
  const Eigen::MatrixXd velocity = (Eigen::MatrixXd::Identity(6, 6) - exact.gain_matrix(diffusion_time{t})) / t;
  CHECK((step.state - (Eigen::MatrixXd::Identity(6, 6) + (s - t) * velocity)).cwiseAbs().maxCoeff() < 1e-14);
  CHECK(gap(euler{}, ddim{}, preserving(), uniform_grid(8, 1.0, 0.1)) > 1e-3);
}

TEST_CASE("DDIM is Euler's method in sigma / a on x / a", "[sampler]") {
  const auto corruption = preserving();
  const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  for (const auto& [t, s] : {std::pair{1.0, 0.5}, {0.7, 0.69}, {0.2, 0.01}}) {
    const double a_t = corruption.signal_gain(diffusion_time{t}), a_s = corruption.signal_gain(diffusion_time{s});
    const double y_t = corruption.sigma(diffusion_time{t}) / a_t, y_s = corruption.sigma(diffusion_time{s}) / a_s;
    // d(x/a) / d(sigma/a) = (x/a - h) / (sigma/a).
    const Eigen::MatrixXd one = Eigen::MatrixXd::Identity(6, 6);
    const Eigen::MatrixXd slope = (one / a_t - exact.gain_matrix(diffusion_time{t})) / y_t;
    const Eigen::MatrixXd wanted = a_s * (one / a_t + (y_s - y_t) * slope);
    const affine_step step = measured_step(ddim{}, corruption, exact, gaussian_image, time_grid{{t, s}});
    CHECK((step.state - wanted).cwiseAbs().maxCoeff() < 1e-14);
  }
}

namespace {

struct end_of_run {
  std::vector<double> x;
  std::size_t nfe;
};

template <class S, class C>
end_of_run drawn_by(const S& sampler, const C& corruption, const time_grid& grid, image_range images) {
  serial_backend be;
  const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const auto end = integrate(be, sampler, corruption, exact, grid,
                             draw_start<double>(be, corruption, grid, gaussian_image, images, 5), 5);
  std::vector<double> x(end.x.view().size());
  be.download(end.x.view(), x.data());
  return {x, end.nfe};
}

}  // namespace

TEST_CASE("Dormand and Prince's error follows the tolerance, and the tolerance decides the evaluations", "[sampler]") {
  const auto check = [](const auto& corruption) {
    const time_grid grid{{1.0, 0.05}};
    const auto wanted = drawn_by(rk4{}, corruption, uniform_grid(1024, 1.0, 0.05), {0, 3}).x;
    std::size_t before = 0;
    for (const double tolerance : {1e-3, 1e-5, 1e-7, 1e-9}) {
      const auto found = drawn_by(dormand_prince{tolerance, tolerance}, corruption, grid, {0, 3});
      double worst = 0;
      for (std::size_t i = 0; i < wanted.size(); ++i) worst = std::max(worst, std::abs(found.x[i] - wanted[i]));
      CAPTURE(tolerance, worst, found.nfe);
      // Each part's error is below the tolerance times 1 + |x|. Fewer than a hundred parts are taken, and the flow,
      // which contracts towards the data, spreads errors by less than what the signal grows.
      CHECK(worst < 100 * tolerance);
      CHECK(found.nfe >= before);
      before = found.nfe;
    }
    CHECK(before > 1 + 10 * 6);  // more than the ten parts that the longest part asks for
  };
  check(exploding());
  check(preserving());
  check(blurring());
}

TEST_CASE("Dormand and Prince divide for each image alone", "[sampler]") {
  // The same bits in any batches, although the images differ in how often they divide.
  const auto corruption = fading();
  const time_grid grid{{1.0, 0.4, 0.05, 0.0}};
  const dormand_prince sampler{1e-6, 1e-6};
  const auto all = drawn_by(sampler, corruption, grid, {0, 5});
  std::vector<double> parts;
  std::size_t most = 0;
  for (const auto& [first, count] : {std::pair{0u, 1u}, {1u, 3u}, {4u, 1u}}) {
    const auto part = drawn_by(sampler, corruption, grid, {first, count});
    parts.insert(parts.end(), part.x.begin(), part.x.end());
    most = std::max(most, part.nfe);
  }
  CHECK(parts == all.x);
  CHECK(all.nfe == most);
}

TEST_CASE("Dormand and Prince refuse tolerances that cannot be right", "[sampler]") {
  CHECK_REFUSED(dormand_prince{0.0}, "relative is 0, but it must be above 0");
  CHECK_REFUSED((dormand_prince{1e-3, -1.0}), "absolute is -1, but it must be above 0");
  CHECK_REFUSED((dormand_prince{1e-3, 1e-3, 0.0}), "longest is 0, but it must be above 0");
}

TEST_CASE("the rates of the schedules are the slopes of level and noise", "[sampler]") {
  // (8 (f(t + e) - f(t - e)) - (f(t + 2e) - f(t - 2e))) / 12e, e = 1e-3: the error is e^4 f'''''/30, below 1e-11 times
  // a fifth derivative of at most (log 5000)^5 = 4.4e4 times f for the steepest of these, and rounding 1e-12.
  const auto slope = [](const auto& f, double t) {
    const double e = 1e-3;
    return (8 * (f(t + e) - f(t - e)) - (f(t + 2 * e) - f(t - 2 * e))) / (12 * e);
  };
  const auto check = [&](const auto& schedule, double t) {
    const double level = slope([&](double at) { return schedule.level_at(diffusion_time{at}).value; }, t);
    const double sigma = slope([&](double at) { return schedule.sigma_at(diffusion_time{at}); }, t);
    CHECK_THAT(schedule.level_rate_at(diffusion_time{t}), Catch::Matchers::WithinAbs(level, 1e-6 * (1 + level)));
    CHECK_THAT(schedule.sigma_rate_at(diffusion_time{t}), Catch::Matchers::WithinAbs(sigma, 1e-6 * (1 + sigma)));
  };
  for (const double t : {0.05, 0.1, 0.3, 0.9}) {
    check(variance_exploding{.level_max = 3.0}, t);
    check(variance_preserving{}, t);
    check(two_stage{}, t);
    check(two_stage{.level_min = 0.0, .level_max = 5.0, .levels = spacing::linear}, t);
  }
  // At the kink the rates are those of stage 1.
  CHECK(two_stage{}.level_rate_at(diffusion_time{0.15}) == 0.0);
  CHECK(two_stage{}.sigma_rate_at(diffusion_time{0.15}) > 0.0);
}

TEST_CASE("a start point that cannot be right is refused before the first step", "[sampler]") {
  serial_backend be;
  const auto corruption = preserving();
  const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  std::size_t seen = 0;
  const auto begin = [&](const shape& image, double value) {
    start_point<serial_backend, double> from{be.make<double>(image), be.make<double>(image), {0, image.images}};
    from.x.view()[1] = value;
    return integrate(be, euler{}, corruption, exact, uniform_grid(4, 1.0, 0.1), std::move(from), 0,
                     [&](const auto&) { ++seen; });
  };
  CHECK_REFUSED(begin(gaussian_image, std::nan("")), "size of x in the start point is nan, but it must be finite");
  CHECK_REFUSED(begin(gaussian_image, HUGE_VAL), "size of x in the start point is inf, but it must be finite");
  // A signal that is gone has an infinite level: fine for a step by differences and for a finite slope, not for a rate
  // of the signal relative to itself.
  const softscore::corruption line{scaling{}, flow_matching{}};
  const gaussian_denoiser of_line{line, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const auto from_noise = [&](const auto& sampler) {
    return integrate(be, sampler, line, of_line, uniform_grid(4),
                     draw_start<double>(be, line, uniform_grid(4), gaussian_image, {0, 1}, 1), 1);
  };
  CHECK_REFUSED(from_noise(euler_maruyama{}), "level at a time of the grid is inf, but it must be finite");
  CHECK(std::isfinite(from_noise(euler{}).x.view()[0]));
  CHECK(std::isfinite(from_noise(ddim{}).x.view()[0]));
  CHECK(seen == 0);
}
