// Single steps (Ho et al. 2020; Song, Meng and Ermon 2021; Daras et al. 2022; Galerne 2024) against numbers, and the
// algebra of the family of one_evaluation.hpp (own derivation).
#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/on_host.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/probability_flow.hpp>

#include "affine_step.hpp"
#include "printed.hpp"

using namespace softscore;

namespace {

// Matrices of the reference values, which do not commute: C_t at time 1, C_s at time 0.5.
struct two_matrices {};

struct two_noises {
  level level_at(diffusion_time t) const { return level{2.0 * t.value}; }
  double sigma_at(diffusion_time t) const { return t.value == 1.0 ? 0.3 : t.value == 0.5 ? 0.2 : 0.0; }
};

}  // namespace

template <>
struct softscore::degradation<two_matrices> : softscore::on_host<softscore::degradation<two_matrices>> {
  static std::array<double, 4> matrix(level w) {
    if (w.value == 2.0) return {0.8, 0.1, 0.1, 0.5};
    if (w.value == 1.0) return {0.9, 0.05, 0.05, 0.7};
    return {1, 0, 0, 1};
  }
  template <class T>
  static void apply_image(const two_matrices&, level w, const shape&, std::span<const T> in, std::span<T> out) {
    const auto m = matrix(w);
    for (std::size_t i = 0; i < 2; ++i) out[i] = static_cast<T>(m[2 * i] * in[0] + m[2 * i + 1] * in[1]);
  }
  template <class T>
  static void transpose_image(const two_matrices&, level w, const shape&, std::span<const T> in, std::span<T> out) {
    const auto m = matrix(w);
    for (std::size_t i = 0; i < 2; ++i) out[i] = static_cast<T>(m[i] * in[0] + m[2 + i] * in[1]);
  }
};

namespace {

const shape pair{1, 1, 1, 2};

// The image after one step from time t to time s, with the noise `z`.
template <class S, class C, class D>
std::vector<double> one_step(const S& sampler, const C& corruption, const D& denoiser, std::vector<double> x,
                             std::vector<double> z, double t, double s) {
  given_noise_backend be;
  be.noise = std::move(z);
  const shape image{1, 1, 1, x.size()};
  start_point<given_noise_backend, double> from{be.make<double>(image), be.make<double>(image), {0, 1}};
  be.upload(x.data(), from.x.view());
  const auto end = integrate(be, sampler, corruption, denoiser, time_grid{{t, s}}, std::move(from), 0);
  be.download(end.x.view(), x.data());
  return x;
}

corruption<two_matrices, two_noises> matrix_corruption() { return {two_matrices{}, two_noises{}}; }

auto exact_denoiser() {
  Eigen::MatrixXd covariance(2, 2);
  covariance << 2, 1, 1, 2;
  return gaussian_denoiser{matrix_corruption(), Eigen::VectorXd::Zero(2), covariance, pair};
}

// The formulas by hand, with the inverse of a 2 x 2 matrix written out.
struct by_hand {
  Eigen::Matrix2d signal;
  double sigma{};

  explicit by_hand(bool at_t) : sigma{at_t ? 0.3 : 0.2} {
    if (at_t)
      signal << 0.8, 0.1, 0.1, 0.5;
    else
      signal << 0.9, 0.05, 0.05, 0.7;
  }
  // Data N(0, S): h = S C^T (C S C^T + sigma^2 I)^-1 x.
  Eigen::Vector2d estimate(const Eigen::Vector2d& x) const {
    Eigen::Matrix2d covariance;
    covariance << 2, 1, 1, 2;
    const Eigen::Matrix2d m = signal * covariance * signal.transpose() + sigma * sigma * Eigen::Matrix2d::Identity();
    Eigen::Matrix2d turned;
    turned << m(1, 1), -m(0, 1), -m(1, 0), m(0, 0);
    return covariance * signal.transpose() * turned * x / (m(0, 0) * m(1, 1) - m(0, 1) * m(1, 0));
  }
  // Daras et al. 2022, Eq. 16: score = (C h - x) / sigma^2.
  Eigen::Vector2d score(const Eigen::Vector2d& x) const { return (signal * estimate(x) - x) / (sigma * sigma); }
};

// One evaluation: C_s h + c (x - C_t h) + n z.
Eigen::Vector2d family_by_hand(double c, double n) {
  const by_hand t{true}, s{false};
  const Eigen::Vector2d x{1.0, -1.0}, z{0.5, -0.25}, h = t.estimate(x);
  return s.signal * h + c * (x - t.signal * h) + n * z;
}

template <class S>
void check_step(const S& sampler, const char* first, const char* second, const Eigen::Vector2d& formula) {
  const auto x = one_step(sampler, matrix_corruption(), exact_denoiser(), {1.0, -1.0}, {0.5, -0.25}, 1.0, 0.5);
  CHECK_THAT(x[0], as_printed(first));
  CHECK_THAT(x[1], as_printed(second));
  CHECK_THAT(x[0], Catch::Matchers::WithinAbs(formula[0], 1e-12));
  CHECK_THAT(x[1], Catch::Matchers::WithinAbs(formula[1], 1e-12));
}

}  // namespace

TEST_CASE("one step of every sampler gives the reference values", "[sampler]") {
  const double r = 4.0 / 9;
  check_step(naive{}, "1.11243093923", "-1.13011049724", family_by_hand(0.0, 0.2));
  check_step(momentum{}, "1.20894888690", "-1.27229212301", family_by_hand(r, std::sqrt(0.05)));
  // The first bracket of Daras et al. 2022, Algorithm 2, is negative: with the other sign C_t h - x counts 1 - r the
  // other way.
  CHECK(std::abs(family_by_hand(2 - r, std::sqrt(0.05))[0] - 1.20894888690) > 0.1);
  check_step(probability_flow{}, "1.15009208103", "-1.30156537753", family_by_hand((1 + r) / 2, 0.0));
  check_step(ddim{}, "1.13950276243", "-1.28453038674", family_by_hand(2.0 / 3, 0.0));
  check_step(soft_ddim{}, "1.13950276243", "-1.28453038674", family_by_hand(2.0 / 3, 0.0));
  check_step(soft_ddim{0.1}, "1.17247836623", "-1.28214331459", family_by_hand(std::sqrt(0.03) / 0.3, 0.1));
  // Heun: from the flow's step x' the mean of both slopes.
  const by_hand t{true}, s{false};
  const Eigen::Vector2d x{1.0, -1.0}, there = family_by_hand((1 + r) / 2, 0.0);
  check_step(heun{}, "1.16317711691", "-1.33350565134",
             x + 0.5 * ((s.signal - t.signal) * (t.estimate(x) + s.estimate(there)) +
                        0.5 * 0.05 * (t.score(x) + s.score(there))));
}

TEST_CASE("the exact denoiser and its score give the reference values", "[sampler]") {
  serial_backend be;
  auto x = be.make<double>(pair), h = be.make<double>(pair), blurred = be.make<double>(pair);
  x.view()[0] = 1.0;
  x.view()[1] = -1.0;
  const auto exact = exact_denoiser();
  auto memory = exact.workspace<double>(be, pair);
  exact.estimate(be, condition{{0, 1}, diffusion_time{1.0}}, x.view(), h.view(), memory);
  CHECK_THAT(h.view()[0], as_printed("1.21546961326"));
  CHECK_THAT(h.view()[1], as_printed("-1.62983425414"));
  matrix_corruption().signal(be, diffusion_time{1.0}, h.view(), blurred.view());
  const double first = (blurred.view()[0] - 1.0) / 0.09, second = (blurred.view()[1] + 1.0) / 0.09;
  CHECK_THAT(first, as_printed("-2.11786372007"));
  CHECK_THAT(second, as_printed("3.40699815838"));
  const by_hand t{true};
  const Eigen::Vector2d at{1.0, -1.0};
  CHECK_THAT(h.view()[0], Catch::Matchers::WithinAbs(t.estimate(at)[0], 1e-12));
  CHECK_THAT(h.view()[1], Catch::Matchers::WithinAbs(t.estimate(at)[1], 1e-12));
  CHECK_THAT(first, Catch::Matchers::WithinAbs(t.score(at)[0], 1e-12));
  CHECK_THAT(second, Catch::Matchers::WithinAbs(t.score(at)[1], 1e-12));
}

namespace {

template <class S, class C>
step_weights weights_of(const S& sampler, const C& corruption, double t, double s) {
  return sampler.weights(corruption, step_at{0, 2, diffusion_time{t}, diffusion_time{s}});
}

template <class C>
void check_family(const C& corruption, double t, double s) {
  CAPTURE(t, s);
  const double sigma_t = corruption.sigma(diffusion_time{t}), sigma_s = corruption.sigma(diffusion_time{s});
  const double r = sigma_s * sigma_s / (sigma_t * sigma_t);
  // What remains of the noise of an image whose estimate is right: c^2 sigma_t^2 + n^2.
  const auto left = [&](step_weights w) { return w.keep * w.keep * sigma_t * sigma_t + w.add * w.add; };
  const double wanted = sigma_s * sigma_s, tolerance = 1e-14 * sigma_t * sigma_t;
  CHECK_THAT(left(weights_of(naive{}, corruption, t, s)), Catch::Matchers::WithinAbs(wanted, tolerance));
  for (const double eta : {0.0, 0.3, 1.0})
    CHECK_THAT(left(weights_of(ddim{eta}, corruption, t, s)), Catch::Matchers::WithinAbs(wanted, tolerance));
  for (const double k : {0.0, 0.5 * sigma_s, sigma_s, 2.0 * sigma_s})
    CHECK_THAT(left(weights_of(soft_ddim{k}, corruption, t, s)), Catch::Matchers::WithinAbs(wanted, tolerance));
  const double gap = sigma_t * sigma_t - sigma_s * sigma_s;
  CHECK_THAT(left(weights_of(momentum{}, corruption, t, s)),
             Catch::Matchers::WithinAbs(wanted + gap * gap / (sigma_t * sigma_t), tolerance));
  CHECK_THAT(left(weights_of(probability_flow{}, corruption, t, s)),
             Catch::Matchers::WithinAbs(wanted + sigma_t * sigma_t * (1 - r) * (1 - r) / 4, tolerance));
}

}  // namespace

TEST_CASE("the family keeps, exceeds or loses the noise as derived", "[sampler]") {
  const corruption blurring{gaussian_blur{.half_width = 3}, variance_exploding{.sigma_max = 3.0, .level_max = 2.0}};
  const corruption preserving{scaling{}, variance_preserving{}};
  for (const auto& [t, s] : {std::pair{1.0, 0.5}, {0.7, 0.69}, {0.2, 0.01}}) {
    check_family(blurring, t, s);
    check_family(preserving, t, s);
  }
}

TEST_CASE("where the noise stands still every kept residual is kept whole, at 0 / 0 too", "[sampler]") {
  const auto check = [](const auto& standing) {
    for (const auto& w :
         {weights_of(momentum{}, standing, 0.9, 0.4), weights_of(probability_flow{}, standing, 0.9, 0.4),
          weights_of(ddim{}, standing, 0.9, 0.4), weights_of(soft_ddim{}, standing, 0.9, 0.4)}) {
      CHECK(w.keep == 1.0);
      CHECK(w.add == 0.0);
    }
    CHECK(weights_of(naive{}, standing, 0.9, 0.4).keep == 0.0);
  };
  check(corruption{gaussian_blur{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 0.1, .level_max = 2.0}});
  struct noiseless {
    level level_at(diffusion_time t) const { return level{t.value}; }
    double sigma_at(diffusion_time) const { return 0.0; }
  };
  check(corruption{gaussian_blur{}, noiseless{}});
}

namespace {

// abar of the linear table at an index from 0, by its product.
double abar_by_hand(int index) {
  long double product = 1;
  for (int i = 0; i <= index; ++i) product *= 1 - (1e-4L + i * (0.02L - 1e-4L) / 999);
  return static_cast<double>(product);
}

}  // namespace

TEST_CASE("ddpm takes the steps of Ho et al. 2020 and of the reference values", "[sampler]") {
  const corruption ddpm_chain{scaling{}, linear_beta{}};
  // Ho et al. 2020 count the indices from 1, as we do; the reference values count from 0.
  const auto at = [](int index) { return (index + 1) / 1000.0; };
  const step_weights skip = weights_of(ddpm{ancestral_variance::fixed_small}, ddpm_chain, 0.5, 0.4);
  CHECK_THAT(skip.add * skip.add, as_printed("0.521733312947"));
  CHECK_THAT(skip.keep, as_printed("0.554317194255"));
  const auto variance = [&](int t, int s) {
    const step_weights w = weights_of(ddim{1.0}, ddpm_chain, at(t), at(s));
    return w.add * w.add;
  };
  for (const auto& [t, s, printed] :
       {std::tuple{420, 400, "0.147719512841"}, {980, 960, "0.324605235875"}, {487, 486, "0.00979157198569"}}) {
    CHECK_THAT(variance(t, s), as_printed(printed));
    const double of_t = abar_by_hand(t), of_s = abar_by_hand(s);
    CHECK_THAT(variance(t, s), Catch::Matchers::WithinAbs((1 - of_s) / (1 - of_t) * (1 - of_t / of_s), 1e-12));
  }
  // The posterior (Ho et al. 2020, Eq. 7) at index 500: x_{t-1} = of_h h + of_x x_t + noise.
  const step_weights next = weights_of(ddpm{ancestral_variance::fixed_small}, ddpm_chain, at(500), at(499));
  const double a_t = ddpm_chain.signal_gain(diffusion_time{at(500)}),
               a_s = ddpm_chain.signal_gain(diffusion_time{at(499)});
  CHECK_THAT(next.add * next.add, as_printed("0.0100513357789"));
  CHECK_THAT(a_s - next.keep * a_t, as_printed("0.00305805707563"));
  CHECK_THAT(next.keep, as_printed("0.994104350757"));
  const double of_t = abar_by_hand(500), of_s = abar_by_hand(499), beta = 1e-4 + 500 * (0.02 - 1e-4) / 999;
  CHECK_THAT(next.add * next.add, Catch::Matchers::WithinAbs(beta * (1 - of_s) / (1 - of_t), 1e-12));
  CHECK_THAT(a_s - next.keep * a_t, Catch::Matchers::WithinAbs(std::sqrt(of_s) * beta / (1 - of_t), 1e-12));
  CHECK_THAT(next.keep, Catch::Matchers::WithinAbs(std::sqrt(1 - beta) * (1 - of_s) / (1 - of_t), 1e-12));
  // With beta instead, the variance is the schedule's own beta.
  const step_weights large = weights_of(ddpm{}, ddpm_chain, at(500), at(499));
  CHECK_THAT(large.add * large.add, Catch::Matchers::WithinAbs(1e-4 + 500 * (0.02 - 1e-4) / 999, 1e-15));
  CHECK(large.keep == next.keep);
}

TEST_CASE("one step of ddpm back has the conditional mean, which the misprints of reviews do not have", "[sampler]") {
  const corruption ddpm_chain{scaling{}, linear_beta{}};
  const int index = 500;  // from 0
  const double of_t = abar_by_hand(index), alpha = of_t / abar_by_hand(index - 1), beta = 1 - alpha;
  const double a = std::sqrt(of_t), sigma = std::sqrt(1 - of_t), x = 0.8, h = -0.3, eps = (x - a * h) / sigma;
  for (const auto variance : {ancestral_variance::fixed_small, ancestral_variance::fixed_large}) {
    const step_weights w = weights_of(ddpm{variance}, ddpm_chain, (index + 1) / 1000.0, index / 1000.0);
    const double mean = std::sqrt(of_t / alpha) * h + w.keep * (x - a * h);
    // From eps and from score = -eps / sigma_t.
    CHECK_THAT(mean, Catch::Matchers::WithinAbs((x - beta / sigma * eps) / std::sqrt(alpha), 1e-12));
    CHECK_THAT(mean, Catch::Matchers::WithinAbs((x + beta * (-eps / sigma)) / std::sqrt(alpha), 1e-12));
    // Kim and Lee 2024, Eq. 38, have a plus, and so has a mean for an eps of the other sign; Galerne 2024 adds or drops
    // bars.
    for (const double misprint :
         {(x + beta / sigma * eps) / std::sqrt(alpha), (x - beta / sigma * eps) / std::sqrt(of_t),
          (x - beta / std::sqrt(beta) * eps) / std::sqrt(alpha)})
      CHECK(std::abs(mean - misprint) > 1e-3);
  }
}

TEST_CASE("ddim with eta 1 is ddpm with the smaller variance", "[sampler]") {
  const corruption preserving{scaling{}, variance_preserving{}};
  const corruption exploding{identity{}, variance_exploding{}};
  // Two ways to the same numbers, each of a few operations on numbers below 1.
  for (const auto& [t, s] : {std::pair{1.0, 0.5}, {0.7, 0.69}, {0.2, 0.01}}) {
    const auto a = weights_of(ddim{1.0}, preserving, t, s),
               b = weights_of(ddpm{ancestral_variance::fixed_small}, preserving, t, s);
    CHECK_THAT(a.keep, Catch::Matchers::WithinAbs(b.keep, 1e-12));
    CHECK_THAT(a.add, Catch::Matchers::WithinAbs(b.add, 1e-12));
    const auto c = weights_of(ddim{1.0}, exploding, t, s),
               d = weights_of(ddpm{ancestral_variance::fixed_small}, exploding, t, s);
    CHECK_THAT(c.keep, Catch::Matchers::WithinAbs(d.keep, 1e-12));
    CHECK_THAT(c.add, Catch::Matchers::WithinRel(d.add, 1e-12));
  }
}

TEST_CASE("DDIM on a known density ends at the reference values", "[sampler]") {
  const corruption ddpm_chain{scaling{}, linear_beta{}};
  const shape one{1, 1, 1, 1};
  const gaussian_denoiser exact{ddpm_chain, Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Constant(1, 1, 0.25), one};
  for (const auto& [steps, end] : {std::pair{50, "0.472439113028"}, {1000, "0.498495282996"}}) {
    std::vector<double> times;
    for (int i = steps - 1; i >= 0; --i) times.push_back((i * (1000 / steps) + 1) / 1000.0);
    times.push_back(0.0);
    given_noise_backend be;
    start_point<given_noise_backend, double> from{be.make<double>(one), be.make<double>(one), {0, 1}};
    from.x.view()[0] = 1.0;
    const auto result = integrate(be, ddim{}, ddpm_chain, exact, time_grid{times}, std::move(from), 0);
    CHECK_THAT(result.x.view()[0], as_printed(end));
    // Each step multiplies x by a_s j + sigma_s / sigma_t (1 - a_t j), h = j x and j = a_t / 4 / (abar_t / 4 +
    // sigma_t^2).
    double x = 1;
    for (int i = steps - 1; i >= 0; --i) {
      const double of_t = abar_by_hand(i * (1000 / steps)),
                   of_s = i == 0 ? 1.0 : abar_by_hand((i - 1) * (1000 / steps));
      const double a = std::sqrt(of_t), j = 0.25 * a / (0.25 * of_t + 1 - of_t);
      x *= std::sqrt(of_s) * j + std::sqrt((1 - of_s) / (1 - of_t)) * (1 - a * j);
    }
    CHECK_THAT(result.x.view()[0], Catch::Matchers::WithinAbs(x, 1e-12));
  }
}

namespace {

// A toy network, x t / (t + 1) with t an index from 0, as eps or as v, and its estimate cut to [-1, 1].
template <class C>
struct toy_denoiser {
  static constexpr int evaluations = 1;
  const C& chain;
  bool velocity;
  struct nothing {};

  template <Scalar T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void estimate(Be& be, const condition& q, view<const T, Space> x, view<T, Space> out, nothing&) const {
    const diffusion_time t = q.times[0];
    const double a = chain.signal_gain(t), sigma = chain.sigma(t), index = std::round(t.value * 1000) - 1;
    const double phi = index / (index + 1);
    be.combine(out, term<T, Space>{velocity ? a - sigma * phi : (1 - sigma * phi) / a, x});
    be.for_each([](T& h) { h = std::clamp(h, T{-1}, T{1}); }, out);
  }
};

}  // namespace

TEST_CASE("DDIM on the ramp gives the reference sums", "[sampler]") {
  const corruption ddpm_chain{scaling{}, linear_beta{}};
  const shape ramp{1, 3, 16, 16};
  std::vector<double> times;
  for (int i = 9; i >= 0; --i) times.push_back((100 * i + 1) / 1000.0);
  times.push_back(0.0);
  for (const auto& [velocity, sum] : {std::pair{false, "172.006522168"}, {true, "52.5301238453"}}) {
    given_noise_backend be;
    start_point<given_noise_backend, double> from{be.make<double>(ramp), be.make<double>(ramp), {0, 1}};
    for (std::size_t i = 0; i < 768; ++i) from.x.view()[i] = static_cast<double>(i) / 768;
    const auto result = integrate(be, ddim{}, ddpm_chain, toy_denoiser<decltype(ddpm_chain)>{ddpm_chain, velocity},
                                  time_grid{times}, std::move(from), 0);
    double total = 0;
    for (std::size_t i = 0; i < 768; ++i) total += std::abs(result.x.view()[i]);
    CHECK_THAT(total, as_printed(sum));
    // The same in the field's words: x_0 from the output and cut, eps from both, a_s x_0 + sigma_s eps.
    double wanted = 0;
    for (int pixel = 0; pixel < 768; ++pixel) {
      double x = pixel / 768.0;
      for (int index = 900; index >= 0; index -= 100) {
        const double of_t = abar_by_hand(index), of_s = index == 0 ? 1.0 : abar_by_hand(index - 100);
        const double a = std::sqrt(of_t), sigma = std::sqrt(1 - of_t), output = x * index / (index + 1);
        const double clean = std::clamp(velocity ? a * x - sigma * output : (x - sigma * output) / a, -1.0, 1.0);
        x = std::sqrt(of_s) * clean + std::sqrt(1 - of_s) * (x - a * clean) / sigma;
      }
      wanted += std::abs(x);
    }
    // 768 numbers below 1, each to a few roundings.
    CHECK_THAT(total, Catch::Matchers::WithinAbs(wanted, 1e-12 * 172));
  }
}

TEST_CASE("cold takes the same step as the family with c = 1 and n = 0", "[sampler]") {
  // x + C_s h - C_t h, from the reference h: x_s - x = (C_s - C_t) h.
  const auto x = one_step(cold{}, matrix_corruption(), exact_denoiser(), {1.0, -1.0}, {}, 1.0, 0.5);
  const Eigen::Vector2d wanted = family_by_hand(1.0, 0.0);
  CHECK_THAT(x[0], Catch::Matchers::WithinAbs(wanted[0], 1e-12));
  CHECK_THAT(x[1], Catch::Matchers::WithinAbs(wanted[1], 1e-12));
}

TEST_CASE("samplers refuse numbers that cannot be right", "[sampler]") {
  CHECK_THROWS_WITH(ddim{-0.1}, "eta is -0.1, but it must be between 0 and 1");
  CHECK_THROWS_WITH(ddim{1.5}, "eta is 1.5, but it must be between 0 and 1");
  CHECK_THROWS_WITH(ddim{std::nan("")}, "eta is nan, but it must be between 0 and 1");
  CHECK_THROWS_WITH(soft_ddim{-1.0}, "k is -1, but it must be at least 0");
}
