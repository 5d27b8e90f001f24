// DPM-Solver and its relatives: the numbers of V4, the methods that they contain, and their orders.
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
#include <softscore/sampler/dpm_solver_pp_2m.hpp>

#include "gaussian_data.hpp"
#include "measured_order.hpp"

using namespace softscore;

namespace {

using chain = corruption<scaling, linear_beta>;

// The toy network of section V, x t / (t + 1) with t an index from 0, as eps or as v.
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
  void estimate(Be& be, const question& q, view<const T, Space> x, view<T, Space> out, nothing&) const {
    const diffusion_time t = q.times[0];
    const double a = of.signal_gain(t), sigma = of.sigma(t), index = std::round(t.value * 1000) - 1;
    const double phi = index / (index + 1);
    be.combine(out, term<T, Space>{velocity ? a - sigma * phi : (1 - sigma * phi) / a, x});
  }
};

}  // namespace

TEST_CASE("DPM-Solver++ 2M gives V4's means", "[sampler]") {
  const chain ddpm_chain{scaling{}, linear_beta{}};
  const shape ramp{1, 3, 16, 16};
  // The list of V4 counts from 0 and ends at the noise of index 0.
  std::vector<double> times;
  for (const int index : {999, 899, 799, 699, 599, 500, 400, 300, 200, 100, 0}) times.push_back((index + 1) / 1000.0);
  for (const auto& [velocity, mean] : {std::pair{false, 0.330146977877}, {true, 0.225099349395}}) {
    given_noise_backend be;
    start_point<given_noise_backend, double> from{be.make<double>(ramp), be.make<double>(ramp), {0, 1}};
    for (std::size_t i = 0; i < 768; ++i) from.x.view()[i] = static_cast<double>(i) / 768;
    const auto result = drive(be, dpm_solver_pp_2m{}, ddpm_chain, toy_denoiser{ddpm_chain, velocity}, time_grid{times},
                              std::move(from), 0);
    double sum = 0;
    for (std::size_t i = 0; i < 768; ++i) sum += std::abs(result.x.view()[i]);
    // 12 printed decimals.
    CHECK_THAT(sum / 768, Catch::Matchers::WithinAbs(mean, 1e-12));
  }
}

TEST_CASE("DPM-Solver++ 2M has order 2 under every corruption that is smooth in time", "[sampler]") {
  check_orders(dpm_solver_pp_2m{}, exploding());
  check_orders(dpm_solver_pp_2m{}, preserving());
  check_orders(dpm_solver_pp_2m{}, blurring());
  check_orders(dpm_solver_pp_2m{}, fading());
}

TEST_CASE("the SDE form of DPM-Solver++ 2M has order 2 in law", "[sampler]") {
  check_orders(dpm_solver_pp_2m_sde{}, exploding(), 32, 1);
  check_orders(dpm_solver_pp_2m_sde{}, preserving(), 32, 1);
  check_orders(dpm_solver_pp_2m_sde{}, blurring(), 32, 1);
  check_orders(dpm_solver_pp_2m_sde{}, fading(), 32, 1);
}
