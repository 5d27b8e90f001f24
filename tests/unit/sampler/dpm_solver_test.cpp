// DPM-Solver (Lu et al. 2022a), DPM-Solver++ (Lu et al. 2022b), UniPC (Zhao et al. 2023), the sampler of Karras et al.
// 2022 and the alternating one of Daras et al. 2022: reference values, the methods that they contain, and their orders.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/alternating.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/unipc.hpp>

#include "gaussian_data.hpp"
#include "measured_order.hpp"
#include "printed.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

using chain = corruption<scaling, linear_beta>;

// A toy network, x t / (t + 1) with t an index from 0, as eps or as v.
struct toy_denoiser {
  static constexpr int evaluations = 1;
  const chain& of;
  bool velocity;
  struct nothing {};

  template <Scalar T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void estimate(Be& be, const condition& q, view<const T, Space> x, view<T, Space> out, nothing&) const {
    const diffusion_time t = q.times[0];
    const double a = of.signal_gain(t), sigma = of.sigma(t), index = std::round(t.value * 1000) - 1;
    const double phi = index / (index + 1);
    be.combine(out, term<T, Space>{velocity ? a - sigma * phi : (1 - sigma * phi) / a, x});
  }
};

// a and sigma of the linear table at an index from 0, by the product of its alphas.
std::pair<double, double> linear_beta_by_hand(int index) {
  long double abar = 1;
  for (int i = 0; i <= index; ++i) abar *= 1 - (1e-4L + i * (0.02L - 1e-4L) / 999);
  return {static_cast<double>(std::sqrt(abar)), static_cast<double>(std::sqrt(1 - abar))};
}

}  // namespace

TEST_CASE("DPM-Solver++ 2M gives the reference means", "[sampler]") {
  const chain ddpm_chain{scaling{}, linear_beta{}};
  const shape ramp{1, 3, 16, 16};
  // The list of the reference values counts from 0 and ends at the noise of index 0.
  std::vector<double> times;
  for (const int index : {999, 899, 799, 699, 599, 500, 400, 300, 200, 100, 0}) times.push_back((index + 1) / 1000.0);
  for (const auto& [velocity, mean] : {std::pair{false, "0.330146977877"}, {true, "0.225099349395"}}) {
    given_noise_backend be;
    start_point<given_noise_backend, double> from{be.make<double>(ramp), be.make<double>(ramp), {0, 1}};
    for (std::size_t i = 0; i < 768; ++i) from.x.view()[i] = static_cast<double>(i) / 768;
    const auto result = integrate(be, dpm_solver_pp_2m{}, ddpm_chain, toy_denoiser{ddpm_chain, velocity},
                                  time_grid{times}, std::move(from), 0);
    double sum = 0;
    for (std::size_t i = 0; i < 768; ++i) sum += std::abs(result.x.view()[i]);
    CHECK_THAT(sum / 768, as_printed(mean));
    // The method by hand, in one factor: every step is linear in x and h. The ramp's mean is 767 / 1536.
    double x = 767.0 / 1536, h_before = 0, lambda_before = 0, lambda_t = 0;
    for (std::size_t i = 0; i + 1 < times.size(); ++i) {
      const auto at = [&](std::size_t k) {
        return linear_beta_by_hand(static_cast<int>(std::lround(times[k] * 1000)) - 1);
      };
      const auto [a, sigma] = at(i);
      const auto [a_s, sigma_s] = at(i + 1);
      const double index = std::round(times[i] * 1000) - 1, output = x * index / (index + 1);
      const double h = velocity ? a * x - sigma * output : (x - sigma * output) / a;
      lambda_before = lambda_t;
      lambda_t = std::log(a / sigma);
      const double length = std::log(a_s / sigma_s) - lambda_t, q = (lambda_t - lambda_before) / length;
      x = sigma_s / sigma * x - a_s * std::expm1(-length) * (i == 0 ? h : h + (h - h_before) / (2 * q));
      h_before = h;
    }
    CHECK_THAT(sum / 768, Catch::Matchers::WithinAbs(std::abs(x), 1e-12));
  }
}

TEST_CASE("DPM-Solver++ 2M has order 2 under every corruption that is smooth in time", "[sampler]") {
  check_orders(dpm_solver_pp_2m{}, exploding());
  check_orders(dpm_solver_pp_2m{}, preserving());
  check_orders(dpm_solver_pp_2m{}, blurring());
  check_orders(dpm_solver_pp_2m{}, fading());
}

TEST_CASE("the SDE form of DPM-Solver++ 2M has order 2 in distribution", "[sampler]") {
  check_orders(dpm_solver_pp_2m_sde{}, exploding(), 32, 1);
  check_orders(dpm_solver_pp_2m_sde{}, preserving(), 32, 1);
  check_orders(dpm_solver_pp_2m_sde{}, blurring(), 32, 1);
  check_orders(dpm_solver_pp_2m_sde{}, fading(), 32, 1);
}

namespace {

template <class C>
void check_scalar(const C& corruption) {
  SECTION("dpm_solver<1>") { check_orders(dpm_solver<1>{}, corruption); }
  SECTION("dpm_solver<2>") { check_orders(dpm_solver<2>{}, corruption); }
  SECTION("dpm_solver<3>") { check_orders(dpm_solver<3>{}, corruption, 16); }
  SECTION("dpm_solver_pp_3m") { check_orders(dpm_solver_pp_3m{}, corruption); }
  SECTION("unipc<1>") { check_orders(unipc<1>{}, corruption); }
  SECTION("unipc<2>") { check_orders(unipc<2>{}, corruption); }
  SECTION("unipc<3>") { check_orders(unipc<3>{}, corruption); }
  SECTION("unipc<1>, corrector off") { check_orders(unipc<1, false>{}, corruption); }
  SECTION("unipc<2>, corrector off") { check_orders(unipc<2, false>{}, corruption); }
  SECTION("unipc<3>, corrector off") { check_orders(unipc<3, false>{}, corruption); }
  SECTION("edm_heun") { check_orders(edm_heun{}, corruption); }
  SECTION("alternating") { check_orders(alternating{}, corruption); }
}

}  // namespace

TEST_CASE("under exploding noise the exponential methods have their order", "[sampler]") { check_scalar(exploding()); }
TEST_CASE("under preserved variance the exponential methods have their order", "[sampler]") {
  check_scalar(preserving());
}

TEST_CASE("alternating steps have order 1 under blur and fade too", "[sampler]") {
  check_orders(alternating{}, blurring());
  check_orders(alternating{}, fading());
}

namespace {

// The largest difference between the maps of two samplers on a grid: of the image, the constant and the noise.
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

TEST_CASE("the exponential methods of order 1 are DDIM", "[sampler]") {
  // Different ways to the same numbers of size 1, over nine steps.
  const time_grid grid{{1.0, 0.9, 0.7, 0.65, 0.5, 0.3, 0.2, 0.1, 0.05, 0.0}};
  const auto check = [&](const auto& corruption) {
    CHECK(gap(dpm_solver<1>{}, ddim{}, corruption, grid) < 1e-13);
    CHECK(gap(unipc<1, false>{}, ddim{}, corruption, grid) < 1e-13);
    // UniP-2 is DPM-Solver++ 2M, and UniP-3 is 3M from its third step on.
    CHECK(gap(unipc<2, false>{}, dpm_solver_pp_2m{}, corruption, grid) < 1e-13);
    // What starts with one step is DDIM, DPM-Solver++ in both forms too.
    const time_grid once{{0.8, 0.6}};
    CHECK(gap(dpm_solver_pp_2m{}, ddim{}, corruption, once) < 1e-14);
    CHECK(gap(dpm_solver_pp_2m_sde{}, ddpm{ancestral_variance::fixed_small}, corruption, once) < 1e-13);
    CHECK(gap(alternating{}, ddim{}, corruption, once) == 0.0);
  };
  check(exploding());
  check(preserving());
}

TEST_CASE("half of the second-order term, as in public code, makes 3M a method of order 2", "[sampler]") {
  // One element, variance .25, in steps of one length L in lambda with VE noise; the weights of three estimates are
  // those of the polynomial, or with the last term halved.
  const auto error = [](int steps, double share) {
    const double first = std::log(2.0), last = std::log(0.1), length = (first - last) / steps;
    const auto denoised = [](double x, double sigma) { return 0.25 / (0.25 + sigma * sigma) * x; };
    const double psi0 = detail::exponential_moment(0, length), psi1 = detail::exponential_moment(1, length),
                 psi2 = detail::exponential_moment(2, length);
    const auto flow = [](double sigma) { return std::sqrt(0.25 + sigma * sigma); };
    double x = flow(2.0), h[3] = {};
    for (int i = 0; i < steps; ++i) {
      const double sigma = std::exp(first - i * length), next = std::exp(first - (i + 1) * length);
      h[2] = h[1], h[1] = h[0], h[0] = denoised(x, sigma);
      if (i < 2) {  // the start is exact
        x = flow(next);
        continue;
      }
      const double change = h[0] - h[1], bend = 0.5 * (h[0] - 2 * h[1] + h[2]);
      x = next / sigma * x + length * (psi0 * h[0] + psi1 * (change + bend) + share * psi2 * bend);
    }
    return std::abs(x - flow(0.1));
  };
  CHECK_THAT(std::log2(error(128, 1.0) / error(256, 1.0)), Catch::Matchers::WithinRel(3.0, 0.1));
  CHECK_THAT(std::log2(error(128, 0.5) / error(256, 0.5)), Catch::Matchers::WithinRel(2.0, 0.1));
}

TEST_CASE("EDM's Heun ends at the reference values", "[sampler]") {
  // Data of variance 1/4 in one element; Karras's times from 80 to .002 with exponent 7, then 0.
  struct sigma_is_time {
    level level_at(diffusion_time) const { return level{0.0}; }
    double sigma_at(diffusion_time t) const { return 80.0 * t.value; }
  };
  const corruption noise{identity{}, sigma_is_time{}};
  const shape one{1, 1, 1, 1};
  const gaussian_denoiser exact{noise, Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Constant(1, 1, 0.25), one};
  const auto end_of = [&](const auto& sampler, int steps, double last) {
    std::vector<double> times;
    for (int i = 0; i < steps; ++i) {
      const double high = std::pow(80.0, 1.0 / 7), low = std::pow(0.002, 1.0 / 7);
      times.push_back(i == 0 ? 1.0 : std::pow(high + i / (steps - 1.0) * (low - high), 7.0) / 80.0);
    }
    if (last == 0.0) times.push_back(0.0);
    given_noise_backend be;
    start_point<given_noise_backend, double> from{be.make<double>(one), be.make<double>(one), {0, 1}};
    from.x.view()[0] = 80.0;
    const auto result = integrate(be, sampler, noise, exact, time_grid{times}, std::move(from), 0);
    return std::pair{result.x.view()[0], result.nfe};
  };
  const auto end = [&](int steps, double last) { return end_of(edm_heun{}, steps, last); };
  const auto [x, nfe] = end(18, 0.0);
  CHECK_THAT(x, as_printed("0.527624637001"));
  CHECK(nfe == 35);
  // Karras et al. 2022, Algorithm 1: Euler in sigma to the next noise, then the mean of both slopes; Euler alone to 0.
  double by_hand = 80.0;
  const auto noise_at = [](int i) {
    const double high = std::pow(80.0, 1.0 / 7), low = std::pow(0.002, 1.0 / 7);
    return i == 18 ? 0.0 : std::pow(high + i / 17.0 * (low - high), 7.0);
  };
  for (int i = 0; i < 18; ++i) {
    const double sigma = noise_at(i), next = noise_at(i + 1);
    const auto slope = [](double at, double s) { return (at - 0.25 / (0.25 + s * s) * at) / s; };
    const double here = slope(by_hand, sigma), there = by_hand + (next - sigma) * here;
    by_hand = next == 0.0 ? there : by_hand + (next - sigma) * 0.5 * (here + slope(there, next));
  }
  CHECK_THAT(x, Catch::Matchers::WithinAbs(by_hand, 1e-12));
  // `heun` takes its slopes in sigma^2 instead and ends elsewhere for as many evaluations.
  const auto [other, other_nfe] = end_of(heun{}, 18, 0.0);
  CHECK(other_nfe == 35);
  CHECK(std::abs(other - x) > 1e-3);
  // The flow ends at 80 sqrt(.25 / (.25 + 6400)).
  const double wanted = 80.0 * std::sqrt(0.25 / 6400.25);
  CHECK_THAT(wanted, as_printed("0.499990234661"));
  CHECK_THAT((end(72, 0.0).first - wanted) / (end(144, 0.0).first - wanted), as_printed("4.1547"));
}

TEST_CASE("churn raises the noise and keeps the distribution", "[sampler]") {
  // With churn the noise goes up before it comes down; in the limit of many steps the marginals stay, for the noise
  // added is exactly what belongs to the raised time. First order in the steps: gamma is churn / steps.
  CHECK(gap(edm_heun{5.0}, edm_heun{}, preserving(), uniform_grid(8, 1.0, 0.05)) > 1e-3);
  const auto error = [](std::size_t steps) { return distribution_error(edm_heun{5.0}, preserving(), steps, 1); };
  const double coarse = error(64), fine = error(128);
  CAPTURE(coarse, fine);
  CHECK(fine < 0.6 * coarse);
  CHECK_REFUSED(edm_heun{-1.0}, "churn is -1, but it must be at least 0");
  CHECK_REFUSED((edm_heun{1.0, 2.0, 1.0}), "churn_to is 1, but it must be at least churn_from");
  CHECK_REFUSED((edm_heun{1.0, 0.0, 1.0, -1.0}), "noise is -1, but it must be at least 0");
}
