// What a sampler returns is finite, or an error says which image is not: schedules that stand still, signals that are
// gone, noises and gains at the ends of a type's range, tolerances below its rounding, estimates that are no numbers.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <typeinfo>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/beta_table.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/flow_matching.hpp>
#include <softscore/corruption/karras_sigma.hpp>
#include <softscore/corruption/log_snr.hpp>
#include <softscore/corruption/tabulated.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/edm_denoiser.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/denoiser/parameterization.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/random_mask.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/adams_bashforth.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/ddrm.hpp>
#include <softscore/sampler/diffpir.hpp>
#include <softscore/sampler/dormand_prince.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m_sde.hpp>
#include <softscore/sampler/dps.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/exponential_integrator.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/langevin.hpp>
#include <softscore/sampler/learned_ddpm.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/pigdm.hpp>
#include <softscore/sampler/predictor_corrector.hpp>
#include <softscore/sampler/repaint.hpp>
#include <softscore/sampler/reverse_diffusion.hpp>
#include <softscore/sampler/rk4.hpp>
#include <softscore/sampler/sample.hpp>
#include <softscore/sampler/unipc.hpp>

#include "broken_denoiser.hpp"
#include "refusal.hpp"
#include "worse.hpp"

using namespace softscore;

namespace {

const shape image{1, 1, 1, 4};

// The estimate for data N(0.3, 0.25) in every element.
template <class C>
auto exact_for(const C& corruption) {
  return gaussian_denoiser{corruption, Eigen::VectorXd::Constant(4, 0.3), Eigen::MatrixXd::Identity(4, 4) * 0.25,
                           image};
}

template <class T, class S, class C>
std::vector<double> drawn_by(const S& sampler, const C& corruption, const time_grid& grid) {
  serial_backend be;
  const image_range images{0, 2};
  const auto end = integrate(be, sampler, corruption, exact_for(corruption), grid,
                             draw_start<T>(be, corruption, grid, image, images, 0), 0);
  const auto x = end.x.view();
  std::vector<double> values(x.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(x[i]);
  return values;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) most = worse(most, std::abs(a[i] - b[i]));
  return most;
}

// The exact estimate rounded to float32, as of a network under a state in double.
template <class D>
struct rounded : D {
  using D::D;
  template <class Be, class T, class Space, class M>
  void estimate(Be& be, const condition& q, view<const T, Space> x, view<T, Space> out, M& ws) const {
    D::estimate(be, q, x, out, ws);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(static_cast<float>(out[i]));
  }
};

}  // namespace

TEST_CASE("an image that is not finite is named by its number in the run", "[sampler]") {
  serial_backend be;
  const corruption noise{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}};
  const auto sentence = "size of a pixel in image 5 of the run is nan, but it must be finite";
  const auto from = [&](std::uint64_t first) {
    return draw_start<float>(be, noise, uniform_grid(4), image, {first, 3}, 1);
  };
  CHECK_REFUSED(integrate(be, ddim{}, noise, broken_denoiser{}, uniform_grid(4), from(4), 1), sentence);
  CHECK_NOTHROW(integrate(be, ddim{}, noise, broken_denoiser{}, uniform_grid(4), from(6), 1));
  // A run that an observer stops returns images too.
  std::size_t seen = 0;
  CHECK_REFUSED(integrate(be, ddim{}, noise, broken_denoiser{}, uniform_grid(4), from(4), 1,
                          [&](const auto&) { return ++seen < 3; }),
                sentence);
  CHECK_REFUSED(
      sample(be, ddim{}, noise, broken_denoiser{}, uniform_grid(4), {.images = 9, .batch_size = 2, .image = image}),
      sentence);
  // Thresholding sorts the pixels, so it looks at each of them and can name the time as well.
  CHECK_REFUSED(integrate(be, ddim{}, noise, dynamic_thresholding{broken_denoiser{}}, uniform_grid(4), from(4), 1),
                "size of a pixel in the estimate of image 5 at time 1 is nan, but it must be finite");
}

namespace {

// A rule whose numbers overflow in float32, and are none at time 0.5.
struct bad_rule : one_evaluation<bad_rule> {
  double much{};

  template <class C>
  step_weights weights(const C&, const step_at& at) const {
    return {at.t.value == 0.5 ? std::nan("") : 1.0, much};
  }
};

}  // namespace

TEST_CASE("a rule whose numbers are not finite is told the step", "[sampler]") {
  const corruption noise{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}};
  CHECK_REFUSED(drawn_by<double>(bad_rule{}, noise, uniform_grid(4)),
                "weight in the step from time 0.5 to 0.25 is nan, but it must be a finite number of the state's type");
  bad_rule large;
  large.much = 1e39;
  CHECK_REFUSED(drawn_by<float>(large, noise, uniform_grid(4)), "weight in the step from time 1 to 0.75 is 1e+39");
  CHECK_REFUSED(drawn_by<double>(large, noise, uniform_grid(4)), "weight in the step from time 0.5 to 0.25 is nan");
}

TEST_CASE("numbers whose squares alone overflow are finite", "[sampler]") {
  serial_backend be;
  start_point<serial_backend, double> from{be.make<double>(image), be.make<double>(image), {0, 1}};
  from.x.view()[1] = 1e200;
  const corruption noise{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}};
  const auto end = integrate(be, ddim{}, noise, broken_denoiser{}, uniform_grid(2, 1.0, 0.5), std::move(from), 0);
  CHECK(end.x.view()[1] > 1e199);
}

TEST_CASE("a plateau of the schedule changes nothing", "[sampler]") {
  // The same times without those inside the plateau: what a step of no length does is nothing, and what is remembered
  // stays. In double, where only roundings differ: 10 steps of at most 100 of 2^-53, of numbers below 10, magnified by
  // differences over the shortest step, a tenth of the others at least.
  const double rounding = 10 * 100 * 1.2e-16 * 10 * 10;
  const auto check = [&](const auto& sampler, double bound) {
    CAPTURE(typeid(sampler).name());
    const corruption table{scaling{}, beta_table{{.3, .3, .3, .3, 0, 0, .3, .3, .3, .3}}};
    const time_grid without{{1.0, 0.9, 0.8, 0.7, 0.4, 0.3, 0.2, 0.1, 0.0}};
    CHECK(distance(drawn_by<double>(sampler, table, uniform_grid(10)), drawn_by<double>(sampler, table, without)) <
          bound);
    const corruption points{identity{}, tabulated{{{0, 0, .01}, {.3, 0, 1}, {.6, 0, 1}, {1, 0, 5}}}};
    const time_grid all{{1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0}};
    const time_grid some{{1.0, 0.9, 0.8, 0.7, 0.6, 0.2, 0.1, 0.0}};
    CHECK(distance(drawn_by<double>(sampler, points, all), drawn_by<double>(sampler, points, some)) < bound);
    for (const double each : drawn_by<float>(sampler, table, uniform_grid(10))) CHECK(std::isfinite(each));
    for (const double each : drawn_by<float>(sampler, points, all)) CHECK(std::isfinite(each));
  };
  check(ddim{}, rounding);
  check(heun{}, rounding);
  check(edm_heun{}, rounding);
  check(dpm_solver<2>{}, rounding);
  check(dpm_solver<3>{}, rounding);
  check(dpm_solver_pp_2m{}, rounding);
  check(dpm_solver_pp_3m{}, rounding);
  check(dpm_solver_pp_3m_sde{0.0}, rounding);
  check(unipc<2, false>{}, rounding);
  check(unipc<3, false>{}, rounding);
  // These look less far back after a plateau, and UniPC's corrector takes the estimate at the corrected x, not at the
  // predicted one, so that they differ by less than a step of theirs does from the one of order below.
  check(unipc<2>{}, 0.02);
  check(unipc<3>{}, 0.02);
  check(exponential_integrator<2>{}, 0.02);
  check(exponential_integrator<3>{}, 0.02);
}

TEST_CASE("samplers that draw are finite on a plateau", "[sampler]") {
  const auto check = [&](const auto& sampler) {
    CAPTURE(typeid(sampler).name());
    const corruption table{scaling{}, beta_table{{0, 0, .3, .3, 0, 0, .3, .3, .3, .3}}};
    for (const double each : drawn_by<float>(sampler, table, uniform_grid(10))) CHECK(std::abs(each) < 10.0);
    for (const double each : drawn_by<double>(sampler, table, uniform_grid(37))) CHECK(std::abs(each) < 10.0);
  };
  check(ddpm{});
  check(ddim{1.0});
  check(momentum{});
  check(dpm_solver_pp_2m_sde{});
  check(dpm_solver_pp_3m_sde{});
  check(reverse_diffusion{});
  check(learned_ddpm{[](diffusion_time) { return 0.3; }});
  check(predictor_corrector<>{});
  // Where noise begins to grow from nothing a slope in time is infinite.
  const corruption late{scaling{}, beta_table{{0, 0, .3, .3}}};
  CHECK_REFUSED(drawn_by<float>(adams_bashforth<2>{}, late, uniform_grid(4)),
                "at time 0.5, is inf, but it must be so small that the state's numbers show the slope");
}

TEST_CASE("a step ten thousand times longer than the one before does not look back over it", "[sampler]") {
  const corruption line{scaling{}, variance_preserving{}};
  const time_grid close{{1.0, 0.8, 0.6, 0.6 - 1e-9, 0.4, 0.2, 0.0}}, plain{{1.0, 0.8, 0.6, 0.4, 0.2, 0.0}};
  const auto check = [&](const auto& sampler) {
    // Without care roundings of 6e-8 are multiplied by 0.1 / 1e-9. With it the step goes through other estimates.
    CHECK(distance(drawn_by<float>(sampler, line, close), drawn_by<float>(sampler, line, plain)) < 0.05);
  };
  check(dpm_solver_pp_2m{});
  check(dpm_solver_pp_3m{});
  check(dpm_solver_pp_3m_sde{0.0});
  check(unipc<2>{});
  check(unipc<3>{});
  check(exponential_integrator<3>{});
  check(adams_bashforth<2>{});
}

TEST_CASE("restoration from a time without signal is the limit of that from a time with little", "[sampler]") {
  const measurement half{random_mask{{.seed = 5}}, level{0.5}, 0.05};
  const observation y{image, std::vector<double>(4, 0.5)};
  const auto check = [&](const auto& sampler, const auto& corruption, double early) {
    // In double: the result's derivative in the first gain, of some unity, times the gain there, below 1e-5.
    const auto grid_from = [](double first) { return time_grid{{first, 0.8, 0.6, 0.4, 0.2, 0.0}}; };
    const auto limit = drawn_by<double>(sampler, corruption, grid_from(1.0));
    CHECK(distance(limit, drawn_by<double>(sampler, corruption, grid_from(early))) < 1e-4);
    CHECK(distance(limit, drawn_by<float>(sampler, corruption, grid_from(1.0))) < 1e-4);
  };
  const auto check_all = [&](const auto& corruption, double early) {
    check(ddrm{half, y}, corruption, early);
    check(ddrm{half, y, 0.0, 1.0}, corruption, early);
    check(pigdm{half, y, 0.25}, corruption, early);
    check(diffpir{half, y}, corruption, early);
    check(dps{half, y}, corruption, early);
    CHECK_REFUSED(drawn_by<float>(dps{half, y, 1.0, dps_scale::likelihood}, corruption, uniform_grid(5)),
                  "the signal's gain at a time of the grid is 0, but it must be above 0 where the likelihood scales");
  };
  check_all(corruption{scaling{}, flow_matching{}}, 1.0 - 1e-6);
  check_all(corruption{scaling{}, cosine{}}, 1.0 - 1e-6);
  check_all(corruption{scaling{}, zero_terminal_snr(beta_table{std::vector<double>(20, 0.2)})}, 1.0 - 1e-6);
}

TEST_CASE("gains that underflow are no signal", "[sampler]") {
  // a_t = exp(-0.25 rate t^2): 0 in double from time 0.87 on, in float from 0.34.
  const corruption fast{scaling{}, variance_preserving{.rate_first = 0.0, .rate_last = 4000.0}};
  const measurement half{random_mask{{.seed = 5}}, level{0.5}, 0.05};
  const observation y{image, std::vector<double>(4, 0.5)};
  // a_t is 0 in double until time 0.51, and sigma_t at time 0.
  const corruption logs{scaling{}, log_snr_schedule<linear_log_snr>{{1500.0, -1500.0}}};
  CHECK(logs.level_at(diffusion_time{1.0}).value == 750.0);
  const auto check = [&](const auto& sampler) {
    CAPTURE(typeid(sampler).name());
    for (const std::size_t steps : {20u, 75u}) {
      const time_grid grid = uniform_grid(steps);
      // Past 1e-75 the powers of sigma are refused, so this one ends before.
      const time_grid above = uniform_grid(steps, 1.0, 0.45);
      for (const double each : drawn_by<double>(sampler, fast, grid)) CHECK(std::isfinite(each));
      for (const double each : drawn_by<float>(sampler, fast, grid)) CHECK(std::isfinite(each));
      for (const double each : drawn_by<double>(sampler, logs, above)) CHECK(std::isfinite(each));
      for (const double each : drawn_by<float>(sampler, logs, above)) CHECK(std::isfinite(each));
    }
  };
  check(ddim{});
  check(ddim{1.0});
  check(ddpm{});
  check(heun{});
  check(edm_heun{});
  check(edm_heun{10.0});
  check(dpm_solver<2>{});
  check(dpm_solver<3>{});
  check(dpm_solver_pp_2m{});
  check(dpm_solver_pp_2m_sde{});
  check(dpm_solver_pp_3m{});
  check(dpm_solver_pp_3m_sde{});
  check(dpm_solver_pp_3m_sde{0.0});
  check(unipc<2>{});
  check(unipc<3>{});
  check(exponential_integrator<3>{});
  check(learned_ddpm{[](diffusion_time) { return 0.3; }});
  check(ddrm{half, y});
  check(pigdm{half, y, 0.25});
  check(diffpir{half, y});
  check(repaint{measurement{random_mask{{.seed = 5}}, level{0.5}, 0.0}, y, 2});
}

TEST_CASE("denoisers that divide by the gain refuse one that underflows", "[sampler]") {
  const corruption fast{scaling{}, variance_preserving{.rate_first = 0.0, .rate_last = 400.0}};  // a_1 = exp(-100)
  CHECK_REFUSED(epsilon_parameterization{fast}.weights(diffusion_time{1.0}),
                "the signal's gain under an epsilon prediction is 3.720075976020");
  CHECK_REFUSED(score_parameterization{fast}.weights(diffusion_time{1.0}), "but it must be at least 1e-30");
  CHECK_REFUSED(edm_preconditioning(1e80, 0.5),
                "sigma / a under EDM's preconditioning is 1e+80, but it must be at most");
}

TEST_CASE("a last sigma that the state's numbers do not show is the limit of no noise", "[sampler]") {
  const corruption noise{identity{}, tabulated{{{0, 0, 0}, {.1, 0, 1e-30}, {.2, 0, .1}, {1, 0, 5}}}};
  const corruption none{identity{}, tabulated{{{0, 0, 0}, {.1, 0, 0}, {.2, 0, .1}, {1, 0, 5}}}};
  const time_grid grid{{1.0, 0.8, 0.6, 0.4, 0.2, 0.1, 0.0}};
  const auto check = [&](const auto& sampler) {
    CAPTURE(typeid(sampler).name());
    // Ten roundings of numbers of 5 and less.
    CHECK(distance(drawn_by<float>(sampler, noise, grid), drawn_by<float>(sampler, none, grid)) < 1e-5);
  };
  check(ddim{});
  check(heun{});
  check(edm_heun{});
  check(dpm_solver<2>{});
  check(dpm_solver<3>{});
  check(dpm_solver_pp_2m{});
  check(dpm_solver_pp_3m{});
  check(dpm_solver_pp_3m_sde{});
  check(unipc<2>{});
  check(unipc<3>{});
  check(exponential_integrator<2>{});
  const auto sentence = "so small that the state's numbers show the slope";
  CHECK_REFUSED(drawn_by<float>(rk4{}, noise, grid), sentence);
  CHECK_REFUSED(drawn_by<float>(adams_bashforth<4>{}, none, grid), sentence);
}

TEST_CASE("noise whose powers are no numbers is refused before the first step", "[sampler]") {
  const auto between = [](double least, double most) {
    return corruption{identity{}, karras_sigma{.sigma_min = least, .sigma_max = most, .rho = 1.0}};
  };
  CHECK_REFUSED(drawn_by<float>(ddim{}, between(0.0, 1e39), uniform_grid(3)),
                "sigma at a time of the grid is 1e+39, but it must be a number of the state's type");
  CHECK_REFUSED(drawn_by<double>(ddim{}, between(0.0, 1e-80), uniform_grid(3)),
                "sigma at a time of the grid is 1e-80, but it must be 0 or at least 1e-75");
}

TEST_CASE("Dormand and Prince's method refuses a tolerance that the state's numbers cannot show", "[sampler]") {
  const corruption preserving{scaling{}, variance_preserving{}};
  const auto with = [](double tolerance) { return dormand_prince{tolerance, tolerance}; };
  CHECK_NOTHROW(drawn_by<float>(with(1e-6), preserving, uniform_grid(10)));
  CHECK_NOTHROW(drawn_by<double>(with(1e-11), preserving, uniform_grid(10)));
  for (const double tolerance : {1e-8, 1e-11, 1e-12, 1e-13, 1e-16})
    CHECK_REFUSED(drawn_by<float>(with(tolerance), preserving, uniform_grid(10)), "the rounding of its numbers");
  CHECK_REFUSED(drawn_by<double>(with(1e-17), preserving, uniform_grid(10)), "the rounding of its numbers");
  // Where the estimate's rounding is coarser than the state's, the number of parts is bounded.
  serial_backend be;
  const rounded<decltype(exact_for(preserving))> coarse{preserving, Eigen::VectorXd::Constant(4, 0.3),
                                                        Eigen::MatrixXd::Identity(4, 4) * 0.25, image};
  CHECK_REFUSED(integrate(be, with(1e-15), preserving, coarse, uniform_grid(2),
                          draw_start<double>(be, preserving, uniform_grid(2), image, {0, 1}, 0), 0),
                "but it must be");
}

namespace {

// Draws number `draw` of every step.
struct drawing {
  static constexpr int order = 1, evaluations_per_step = 1;
  struct nothing {};
  std::size_t draw;

  template <class R>
  nothing start(R&) const {
    return {};
  }
  template <class R>
  void step(R& run, nothing&, const step_at& at, view_in<R> x, view_in<R>) const {
    run.normal(at, x, draw);
  }
};

}  // namespace

TEST_CASE("a draw whose number would be that of another is refused", "[sampler]") {
  const corruption noise{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}};
  CHECK_NOTHROW(drawn_by<float>(drawing{255}, noise, uniform_grid(2)));
  CHECK_REFUSED(drawn_by<float>(drawing{256}, noise, uniform_grid(2)),
                "number of a draw in a step is 256, but it must be below 256");
  // An image's number is part of its key as well, by 48 bits.
  serial_backend be;
  const auto of = [&](std::uint64_t first) {
    integrate(be, ddim{}, noise, broken_denoiser{}, uniform_grid(2),
              draw_start<float>(be, noise, uniform_grid(2), image, {first, 2}, 0), 0);
  };
  CHECK_NOTHROW(of((std::uint64_t{1} << 48) - 2));
  CHECK_REFUSED(of((std::uint64_t{1} << 48) - 1), "number of the first image is 281474976710655, but it must be");
  // Correctors number their draws after those of the predictor.
  CHECK(predictor_corrector<annealed_langevin<3>, snr_length, 2>::draws_per_step == 5);
  CHECK(annealed_langevin<256>::draws_per_step == 256);
}
