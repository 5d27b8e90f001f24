// Langevin's dynamics (Galerne 2024; Kim and Lee 2024; Song and Ermon 2019), its Metropolis-adjusted form (Roberts and
// Tweedie 1996), the predictor and corrector of Song et al. 2021 and the learned variance of Nichol and Dhariwal 2021:
// stationary distributions, detailed balance, the length of the steps.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/langevin.hpp>
#include <softscore/sampler/learned_ddpm.hpp>
#include <softscore/sampler/mala.hpp>
#include <softscore/sampler/predictor_corrector.hpp>
#include <softscore/sampler/reverse_diffusion.hpp>

#include "measured_order.hpp"
#include "printed.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

const shape one{1, 1, 1, 1};
const double level_sigma = 0.5;

// C = I and noise that stands still: x_t ~ N(0, S + 1/4) at all times.
auto standing() {
  return corruption{identity{}, variance_exploding{.sigma_min = level_sigma, .sigma_max = level_sigma}};
}

// One element of data variance v - 1/4, so that x_t ~ N(0, v).
auto exact_of_variance(double v) {
  return gaussian_denoiser{standing(), Eigen::VectorXd::Zero(1),
                           Eigen::MatrixXd::Constant(1, 1, v - level_sigma * level_sigma), one};
}

// The variance that many steps lead to, from the map of one run of two: x_s = m x_t + noise.
template <class S>
double standing_variance(const S& sampler, double v, std::size_t draws) {
  const auto exact = exact_of_variance(v);
  const time_grid grid{{0.6, 0.5}};
  const auto distribution = [&](double variance) {
    return distribution_of_run(sampler, standing(), exact, one, grid,
                               {Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Constant(1, 1, variance)}, draws)
        .covariance(0, 0);
  };
  // The distribution is a straight line in the variance: f(V) = f(0) + (f(1) - f(0)) V, with the fixed point below.
  const double none = distribution(0.0), slope = distribution(1.0) - none;
  return none / (1.0 - slope);
}

}  // namespace

TEST_CASE("the Langevin step of length q leads to the variance v / (1 - q / 2v)", "[sampler]") {
  // The reference value. Kim and Lee 2024 call 2 q the length and so mean half of it; and they print the score at the
  // new point, with which y = x + q score(y) + sqrt(2 q) z narrows the distribution, to v / (1 + q / 2v).
  CHECK_THAT(standing_variance(ula{0.1}, 1.0, 1), as_printed("1.05263157895"));
  CHECK_THAT(standing_variance(ula{0.5 * 0.1}, 1.0, 1), Catch::Matchers::WithinRel(1.0 / 0.975, 1e-12));
  CHECK(standing_variance(ula{0.1}, 1.0, 1) > 1.0 / 1.05 + 0.1);
  for (const double v : {0.5, 1.0, 3.0})
    for (const double q : {0.01, 0.1, 0.4}) {
      const double wanted = v / (1.0 - q / (2.0 * v));
      CAPTURE(v, q);
      // A few operations on numbers of size 1, divided by 1 - m^2, which is above 6e-3.
      CHECK_THAT(standing_variance(ula{q}, v, 1), Catch::Matchers::WithinRel(wanted, 1e-12));
      // At noise that stands still the predictor does nothing, and two correctors are two steps of the same chain.
      CHECK_THAT(standing_variance(predictor_corrector{momentum{}, fixed_length{q}}, v, 2),
                 Catch::Matchers::WithinRel(wanted, 1e-12));
      CHECK_THAT(standing_variance(predictor_corrector<momentum, fixed_length, 2>{momentum{}, fixed_length{q}}, v, 3),
                 Catch::Matchers::WithinRel(wanted, 1e-12));
      const double share = q / (level_sigma * level_sigma);
      CHECK_THAT(standing_variance(annealed_langevin<1>{share}, v, 1), Catch::Matchers::WithinRel(wanted, 1e-12));
      CHECK_THAT(standing_variance(annealed_langevin<3>{share}, v, 3), Catch::Matchers::WithinRel(wanted, 1e-12));
    }
}

TEST_CASE("annealed Langevin and a corrector end with the bias of their last length", "[sampler]") {
  // Data of variance 1, noise from 2 to 1: v = 2 at the end, where q = share.
  const corruption falling{identity{}, variance_exploding{.sigma_min = 1.0, .sigma_max = 2.0}};
  const gaussian_denoiser exact{falling, Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Identity(1, 1), one};
  for (const double share : {0.2, 0.1}) {
    const auto [mean, covariance] = exact.marginal(diffusion_time{1.0});
    const auto found = distribution_after(annealed_langevin<1>{share}, falling, exact, one,
                                          uniform_grid(20000, 1.0, 1e-9), {mean, covariance})
                           .covariance(0, 0);
    const double v = 2.0, wanted = v / (1.0 - share / (2.0 * v));
    // The chain follows the falling variance, 2 log 2 sigma^2 / 20000 less a step, with the rate 2 q / v, so that it
    // lags behind by the quotient.
    const double lag = std::log(2.0) / 20000 * v / share;
    CAPTURE(share, lag);
    CHECK_THAT(found, Catch::Matchers::WithinAbs(wanted, 2 * lag));
    CHECK(std::abs(wanted - v) > 50 * lag);
    // A predictor carries the distribution along, so that the corrector's bias alone is left.
    const auto corrected = distribution_step_by_step(predictor_corrector{momentum{}, fixed_length{share}}, falling,
                                                     exact, one, uniform_grid(20000, 1.0, 1e-9), {mean, covariance}, 2)
                               .covariance(0, 0);
    CHECK_THAT(corrected, Catch::Matchers::WithinAbs(wanted, 1e-4));
  }
}

TEST_CASE("the predictor is momentum without a signal that shrinks, and has its coefficients with one", "[sampler]") {
  const auto gap = [](const auto& corruption, const time_grid& grid) {
    const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
    const auto a = measured_step(reverse_diffusion{}, corruption, exact, gaussian_image, grid);
    const auto b = measured_step(momentum{}, corruption, exact, gaussian_image, grid);
    return std::max((a.state - b.state).cwiseAbs().maxCoeff(), (a.noise - b.noise).cwiseAbs().maxCoeff());
  };
  CHECK(gap(exploding(), uniform_grid(8, 1.0, 0.1)) < 1e-13);
  CHECK(gap(exploding(), uniform_grid(8)) < 1e-13);
  CHECK(gap(preserving(), uniform_grid(8)) > 1e-3);
  // beta = .02: x' = (2 - sqrt(1 - beta)) x + beta score + sqrt(beta) z, on data that is 0 and so has the score
  // -x / sigma_t^2.
  struct one_beta {
    level level_at(diffusion_time t) const { return level{t.value == 1.0 ? 0.3 - 0.5 * std::log(0.98) : 0.3}; }
    double sigma_at(diffusion_time t) const { return std::sqrt(-std::expm1(-2.0 * level_at(t).value)); }
  };
  const corruption chain{scaling{}, one_beta{}};
  const gaussian_denoiser none{chain, Eigen::VectorXd::Zero(1), Eigen::MatrixXd::Zero(1, 1), one};
  const auto step = measured_step(reverse_diffusion{}, chain, none, one, time_grid{{1.0, 0.5}});
  const double sigma = chain.sigma(diffusion_time{1.0});
  const double gain = step.state(0, 0) + 0.02 / (sigma * sigma), rescaled = 1 / std::sqrt(0.98);
  CHECK_THAT(gain, as_printed("1.01005050634"));
  CHECK_THAT(gain, Catch::Matchers::WithinAbs(2 - std::sqrt(0.98), 1e-12));
  // Not the coefficient of DDPM, from which it differs by beta^2 / 4 and a term in beta^3.
  CHECK_THAT(rescaled, as_printed("1.01015254455"));
  CHECK_THAT(rescaled - gain, Catch::Matchers::WithinAbs(1e-4, 0.02 * 0.02 * 0.02 / 2));
  CHECK_THAT(step.noise(0, 0), Catch::Matchers::WithinAbs(std::sqrt(0.02), 1e-14));
}

TEST_CASE("the predictors and a learned variance have order 1", "[sampler]") {
  check_orders(reverse_diffusion{}, exploding(), 128, no_memory);
  check_orders(reverse_diffusion{}, preserving(), 128, no_memory);
  check_orders(learned_ddpm{[](diffusion_time t) { return t.value; }}, exploding(), 128, no_memory);
  check_orders(learned_ddpm{[](diffusion_time t) { return 0.5 * t.value; }}, preserving(), 128, no_memory);
}

TEST_CASE("a learned variance lies between DDPM's two", "[sampler]") {
  const auto corruption = preserving();
  const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const time_grid grid{{0.8, 0.6}};
  const auto step = [&](const auto& sampler) {
    return measured_step(sampler, corruption, exact, gaussian_image, grid);
  };
  const auto large = step(ddpm{ancestral_variance::fixed_large}), small = step(ddpm{ancestral_variance::fixed_small});
  for (const double u : {0.0, 0.3, 1.0}) {
    const auto whole = step(learned_ddpm{[u](diffusion_time) { return u; }});
    // u for every element: here the same.
    const auto by_element = step(learned_ddpm{[u](auto& be, diffusion_time, auto x, auto, auto out) {
      be.for_each([u](double& each) { each = u; }, out), static_cast<void>(x);
    }});
    const double wanted = std::exp(u * std::log(large.noise(0, 0)) + (1 - u) * std::log(small.noise(0, 0)));
    CHECK((whole.state - large.state).cwiseAbs().maxCoeff() < 1e-15);
    CHECK((by_element.state - large.state).cwiseAbs().maxCoeff() < 1e-15);
    CHECK_THAT(whole.noise(0, 0), Catch::Matchers::WithinRel(wanted, 1e-14));
    CHECK((by_element.noise - whole.noise).cwiseAbs().maxCoeff() < 1e-14);
  }
  CHECK_REFUSED(step(learned_ddpm{[](diffusion_time) { return 1.5; }}),
                "interpolation of the variance is 1.5, but it must be between 0 and 1");
}

namespace {

// One step of MALA in the hand: the probability of going from x by the noise z, and the proposal.
struct proposal {
  std::vector<double> to;
  double probability;
};

template <class C, class D>
proposal propose(const mala& sampler, const C& corruption, const D& exact, const shape& image,
                 const std::vector<double>& x, const std::vector<double>& z, diffusion_time t) {
  given_noise_backend be;
  be.noise = z;
  auto state = be.make<double>(image), xi = be.make<double>(image), h = be.make<double>(image);
  be.upload(x.data(), state.view());
  sampling_run<given_noise_backend, C, D, double> run{be, corruption, exact, image, 0, {0, 1}, xi.view()};
  auto memory = sampler.start(run);
  run.estimate(t, state.view(), h.view());
  sampler.step(run, memory, step_at{0, 1, t, diffusion_time{0.5 * t.value}}, state.view(), h.view());
  std::vector<double> to(x.size());
  be.download(memory.proposed.view(), to.data());
  return {to, memory.probability[0]};
}

}  // namespace

TEST_CASE("MALA satisfies detailed balance at every step", "[sampler]") {
  // p(x) k(x -> y) a(x, y) = p(y) k(y -> x) a(y, x), with k(x -> y) = N(y; x + q score(x), 2 q): in logarithms, by the
  // shipped probability there and back. The score here is the density's own, not the estimate's.
  const auto corruption = blurring();
  const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const auto as_vector = [](const std::vector<double>& v) {
    return Eigen::VectorXd{Eigen::Map<const Eigen::VectorXd>(v.data(), 6)};
  };
  serial_backend be;
  std::size_t refused = 0;
  for (const double t : {0.2, 0.9})
    for (const double q : {0.05, 0.8})
      for (unsigned seed = 0; seed < 10; ++seed) {
        const diffusion_time at{t};
        auto from = random_batch<double>(be, gaussian_image, 2 * seed);
        auto noise = random_batch<double>(be, gaussian_image, 2 * seed + 1);
        const auto x = values_of(be, from.view()), z = values_of(be, noise.view());
        const auto there = propose(mala{q}, corruption, exact, gaussian_image, x, z, at);
        const Eigen::VectorXd a = as_vector(x), b = as_vector(there.to);
        const Eigen::VectorXd back = (a - b - q * exact.score(at, b)) / std::sqrt(2 * q);
        const auto returned =
            propose(mala{q}, corruption, exact, gaussian_image, there.to, {back.data(), back.data() + 6}, at);
        const Eigen::VectorXd home = as_vector(returned.to);
        REQUIRE((home - a).cwiseAbs().maxCoeff() < 1e-12);
        const double onward = exact.log_density(at, a) - 0.5 * as_vector(z).squaredNorm() + std::log(there.probability);
        const double homeward = exact.log_density(at, b) - 0.5 * back.squaredNorm() + std::log(returned.probability);
        CAPTURE(t, q, seed, there.probability, returned.probability);
        // Sums of a dozen numbers of size 10 to 100.
        CHECK_THAT(onward, Catch::Matchers::WithinAbs(homeward, 1e-11));
        refused += there.probability < 0.5;
      }
  CHECK(refused > 3);  // it was not all accepted anyway
}

TEST_CASE("MALA's acceptance tends to 1 as the steps get shorter", "[sampler]") {
  // 1 - a, averaged over fixed draws, is c q^(3/2)(1 + O(sqrt q)): a hundredth of the length leaves a thousandth.
  const auto corruption = fading();
  const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  serial_backend be;
  const auto refusal_rate = [&](double q) {
    double sum = 0;
    for (unsigned seed = 0; seed < 40; ++seed) {
      auto from = random_batch<double>(be, gaussian_image, 2 * seed);
      auto noise = random_batch<double>(be, gaussian_image, 2 * seed + 1);
      sum += 1 - propose(mala{q}, corruption, exact, gaussian_image, values_of(be, from.view()),
                         values_of(be, noise.view()), diffusion_time{0.5})
                     .probability;
    }
    return sum / 40;
  };
  const double coarse = refusal_rate(1e-3), fine = refusal_rate(1e-5);
  CAPTURE(coarse, fine);
  CHECK(refusal_rate(0.1) > 0.01);
  CHECK_THAT(fine, Catch::Matchers::WithinRel(1e-3 * coarse, 0.1));
}

TEST_CASE("MALA leaves the distribution of x_t as it is, where ULA of the same length widens it", "[sampler]") {
  // 4096 chains of 40 steps of length 1 on N(0, 1), started from it. The variance found has the standard error
  // sqrt(2 / 4096) = .022; ULA's is 1 / (1 - 1/2) = 2.
  const auto exact = exact_of_variance(1.0);
  const auto grid = uniform_grid(40, 1.0, 0.5);
  const auto variance_after = [&](const auto& sampler) {
    serial_backend be;
    const shape many{4096, 1, 1, 1};
    start_point<serial_backend, double> from{be.make<double>(many), be.make<double>(many), {0, 4096}};
    be.normal(noise_key{.seed = 3}, {0, 4096}, from.x.view());
    const auto end = integrate(be, sampler, standing(), exact, grid, std::move(from), 7);
    double sum = 0;
    for (const double x : values_of(be, end.x.view())) sum += x * x;
    return sum / 4096;
  };
  CHECK_THAT(variance_after(mala{1.0}), Catch::Matchers::WithinAbs(1.0, 4 * 0.022));
  CHECK_THAT(variance_after(ula{1.0}), Catch::Matchers::WithinAbs(2.0, 4 * 2 * 0.022));
}

TEST_CASE("the signal-to-noise rule gives each image its own length", "[sampler]") {
  // q = 2 alpha (snr |z| / |score|)^2 at the new level, from the density's own score.
  const auto corruption = preserving();
  const gaussian_denoiser exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const diffusion_time t{0.6}, s{0.5};
  const predictor_corrector<reverse_diffusion> sampler{reverse_diffusion{}, snr_length{0.2}};
  const shape three = gaussian_image.with_images(3);
  given_noise_backend be;
  be.noise.resize(18);
  for (std::size_t i = 0; i < 18; ++i) be.noise[i] = std::sin(1.0 + 3.0 * static_cast<double>(i));
  auto x = random_batch<double>(be, three, 5), xi = be.make<double>(three), h = be.make<double>(three);
  const auto before = values_of(be, x.view());
  using run_type = sampling_run<given_noise_backend, decltype(corruption), decltype(exact), double>;
  // Where the predictor alone arrives.
  auto predicted = random_batch<double>(be, three, 5);
  {
    run_type run{be, corruption, exact, three, 0, {0, 3}, xi.view()};
    auto memory = reverse_diffusion{}.start(run);
    run.estimate(t, predicted.view(), h.view());
    reverse_diffusion{}.step(run, memory, step_at{0, 1, t, s}, predicted.view(), h.view());
  }
  run_type run{be, corruption, exact, three, 0, {0, 3}, xi.view()};
  auto memory = sampler.start(run);
  run.estimate(t, x.view(), h.view());
  sampler.step(run, memory, step_at{0, 1, t, s}, x.view(), h.view());
  const double g = corruption.signal_gain(t) / corruption.signal_gain(s);
  const auto from = values_of(be, predicted.view()), to = values_of(be, x.view());
  for (std::size_t i = 0; i < 3; ++i) {
    const Eigen::VectorXd at = Eigen::Map<const Eigen::VectorXd>(from.data() + 6 * i, 6);
    const Eigen::VectorXd z = Eigen::Map<const Eigen::VectorXd>(be.noise.data() + 6 * i, 6);
    const Eigen::VectorXd score = exact.score(s, at);
    const double q = 2 * g * g * 0.04 * z.squaredNorm() / score.squaredNorm();
    const Eigen::VectorXd wanted = at + q * score + std::sqrt(2 * q) * z;
    // Some dozen operations on numbers of size 1.
    CHECK((Eigen::Map<const Eigen::VectorXd>(to.data() + 6 * i, 6) - wanted).cwiseAbs().maxCoeff() < 1e-12);
  }
  CHECK(before != to);
}

TEST_CASE("the signal-to-noise rule leads to a distribution of its own, the wider the larger the ratio", "[sampler]") {
  // x_t ~ N(0, v I) in d dimensions: the score is -x / v, q = 2 snr^2 v^2 |z|^2 / |x|^2, and with E|z|^2 = d and E|z|^4
  // = d (d + 2) the mean of |x|^2 stands still where E[1 / |x|^2] = 1 / ((d + 2) v (1 + snr^2)). N(0, v I) itself has
  // 1 / ((d - 2) v): the step favors radii at which it is long. In many dimensions it is the variance v (1 + snr^2).
  // The predictor has nothing to do: the noise stands still.
  constexpr std::size_t chains = 4096, d = 6;
  const double v = 0.8, snr = 0.5;
  const shape image{1, 1, 2, 3}, many = image.with_images(chains);
  const gaussian_denoiser exact{standing(), Eigen::VectorXd::Zero(6),
                                (v - level_sigma * level_sigma) * Eigen::MatrixXd::Identity(6, 6), image};
  serial_backend be;
  start_point<serial_backend, double> from{be.make<double>(many), be.make<double>(many), {0, chains}};
  be.normal(noise_key{.seed = 4}, {0, chains}, from.x.view());
  for (std::size_t i = 0; i < chains * d; ++i) from.x.view()[i] *= std::sqrt(v);
  // A step forgets about (1 - q / v)^2, some 0.4 on average, of what |x|^2 was.
  const predictor_corrector<momentum, snr_length> sampler{momentum{}, snr_length{snr}};
  const auto end = integrate(be, sampler, standing(), exact, uniform_grid(40, 1.0, 0.5), std::move(from), 9);
  double sum = 0, squares = 0;
  const auto x = values_of(be, end.x.view());
  for (std::size_t i = 0; i < chains; ++i) {
    double square = 0;
    for (std::size_t k = 0; k < d; ++k) square += x[i * d + k] * x[i * d + k];
    sum += 1 / square;
    squares += 1 / (square * square);
  }
  const double mean = sum / chains, error = std::sqrt((squares / chains - mean * mean) / chains);
  CAPTURE(mean, error);
  CHECK_THAT(mean, Catch::Matchers::WithinAbs(1 / ((d + 2) * v * (1 + snr * snr)), 4 * error));
  // Far from what the distribution itself would give, so that the check can tell them apart.
  CHECK(std::abs(mean - 1 / ((d - 2) * v)) > 40 * error);
}

TEST_CASE("Langevin's samplers refuse lengths that cannot be right", "[sampler]") {
  CHECK_REFUSED(ula{0.0}, "length is 0, but it must be above 0");
  CHECK_REFUSED(mala{-1.0}, "length is -1, but it must be above 0");
  CHECK_REFUSED(fixed_length{0.0}, "length is 0, but it must be above 0");
  CHECK_REFUSED(snr_length{-0.1}, "snr is -0.1, but it must be above 0");
  CHECK_REFUSED(annealed_langevin<1>{2.0}, "share is 2, but it must be above 0 and below 2");
}
