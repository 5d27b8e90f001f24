// DPM-Solver++ (3M) on the reverse SDE (Lu et al. 2022b): what it contains, where it is exact, and its order.
#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/dpm_solver_pp_3m_sde.hpp>
#include <softscore/sampler/half_log_snr.hpp>

#include "measured_order.hpp"
#include "refusal.hpp"

using namespace softscore;

TEST_CASE("the SDE form of DPM-Solver++ 3M has order 2 in distribution", "[sampler]") {
  SECTION("exploding") { check_orders(dpm_solver_pp_3m_sde{}, exploding(), 32, 1); }
  // Below a hundred steps the error of third order is the larger one, and the measured order is near 3.
  SECTION("preserving") { check_orders(dpm_solver_pp_3m_sde{}, preserving(), 128, 1); }
  SECTION("half of the noise") { check_orders(dpm_solver_pp_3m_sde{0.5}, exploding(), 32, 1); }
}

namespace {

// lambda^2 at any x, lambda being log(a / sigma).
template <class C>
struct bent_denoiser {
  static constexpr int evaluations = 1;
  const C& of;
  struct nothing {};

  template <Scalar T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void estimate(Be&, const condition& q, view<const T, Space>, view<T, Space> out, nothing&) const {
    const double lambda = detail::half_log_snr(of, q.times[0]);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = lambda * lambda;
  }
};

}  // namespace

TEST_CASE("a step through three estimates is exact where they lie on a parabola", "[sampler]") {
  const auto corruption = preserving();
  const bent_denoiser<decltype(corruption)> bent{corruption};
  const time_grid grid{{0.9, 0.8, 0.6, 0.55, 0.3, 0.2, 0.05}};
  for (const double eta : {0.0, 0.3, 1.0}) {
    CAPTURE(eta);
    given_noise_backend be;
    start_point<given_noise_backend, double> from{be.make<double>({1, 1, 1, 1}), be.make<double>({1, 1, 1, 1}), {0, 1}};
    from.x.view()[0] = 0.7;
    // What the last step, seen by the observer, should lead to; NaN before the third.
    double wanted = std::numeric_limits<double>::quiet_NaN();
    const auto result =
        integrate(be, dpm_solver_pp_3m_sde{eta}, corruption, bent, grid, std::move(from), 0, [&](const auto& seen) {
          // Within 100 roundings of numbers below 10.
          if (seen.at.index > 2) CHECK_THAT(seen.x[0], Catch::Matchers::WithinAbs(wanted, 1e-13));
          const double lambda = detail::half_log_snr(corruption, seen.at.t);
          const double length = detail::half_log_snr(corruption, seen.at.s) - lambda, k = 1 + eta;
          // integral of k exp(k (u - H)) q(u), q = (lambda + u)^2, three times by parts.
          const auto part = [&](double u) { return (lambda + u) * (lambda + u) - 2 * (lambda + u) / k + 2 / (k * k); };
          const double integral = part(length) - std::exp(-k * length) * part(0.0);
          wanted = corruption.sigma(seen.at.s) / corruption.sigma(seen.at.t) * std::exp(-eta * length) * seen.x[0] +
                   corruption.signal_gain(seen.at.s) * integral;
        });
    CHECK_THAT(result.x.view()[0], Catch::Matchers::WithinAbs(wanted, 1e-13));
  }
}

TEST_CASE("the SDE form of DPM-Solver++ 3M starts as DDPM, and without noise as DDIM", "[sampler]") {
  const auto check = [](const auto& corruption) {
    const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
    const auto gap = [&](const auto& a, const auto& b) {
      // The methods take three steps or more, so the second and the third of these go nowhere that matters here: each
      // run's first step is read off by its observer.
      const auto first = [&](const auto& sampler) {
        given_noise_backend be;
        be.noise = {0.5, -1.0, 0.25, 2.0, -0.5, 1.0};
        start_point<given_noise_backend, double> from{
            be.make<double>(gaussian_image), be.make<double>(gaussian_image), {0, 1}};
        for (std::size_t i = 0; i < 6; ++i) from.x.view()[i] = 0.3 * static_cast<double>(i) - 0.6;
        std::array<double, 6> x{};
        integrate(be, sampler, corruption, exact, time_grid{{0.8, 0.6, 0.4, 0.2}}, std::move(from), 0,
                  [&](const auto& seen) {
                    for (std::size_t i = 0; i < 6; ++i) x[i] = seen.x[i];
                    return seen.at.index < 1;
                  });
        return x;
      };
      const auto one = first(a), other = first(b);
      double largest = 0;
      for (std::size_t i = 0; i < 6; ++i) largest = std::max(largest, std::abs(one[i] - other[i]));
      return largest;
    };
    // Different ways to the same numbers of size 1.
    CHECK(gap(dpm_solver_pp_3m_sde{}, ddpm{ancestral_variance::fixed_small}) < 1e-14);
    CHECK(gap(dpm_solver_pp_3m_sde{0.0}, ddim{}) < 1e-14);
    CHECK(gap(dpm_solver_pp_3m_sde{}, ddim{}) > 0.01);
  };
  check(exploding());
  check(preserving());
}

TEST_CASE("a share of the noise outside of 0 to 1 is refused", "[sampler]") {
  CHECK_REFUSED(dpm_solver_pp_3m_sde{-0.5}, "eta is -0.5, but it must be between 0 and 1");
  CHECK_REFUSED(dpm_solver_pp_3m_sde{std::nan("")}, "eta is nan, but it must be between 0 and 1");
}
