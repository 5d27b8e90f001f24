// Weighted score matching: every weight under every prediction is one loss in different units; its gradient is its
// slope; the weights of the papers (Ho et al. 2020; Salimans and Ho 2022; Daras et al. 2022; Karras et al. 2022; Choi
// et al. 2022; Hang et al. 2023); score matching (Vincent 2011); the velocity's loss is that of eps; learned variances
// (Nichol and Dhariwal 2021).
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/karras_sigma.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/objective/learned_variance_loss.hpp>
#include <softscore/objective/naive_loss.hpp>
#include <softscore/objective/soft_score_matching_loss.hpp>
#include <softscore/objective/weighted_loss.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>

#include "opaque_backend.hpp"
#include "printed.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"
#include "scripted_network.hpp"
#include "slope.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

const shape extent{3, 2, 3, 4};
const std::vector<diffusion_time> times{{0.95}, {0.55}, {0.2}};
const per_image<diffusion_time> each{std::span<const diffusion_time>{times}};

struct losses_and_gradient {
  std::vector<double> losses, gradient;
  double mean() const {
    double sum = 0;
    for (const double l : losses) sum += l;
    return sum / static_cast<double>(losses.size());
  }
};

// An objective at a network's output on one corrupted batch; the output may have more channels than the images.
template <class Be = serial_backend, class O, class C, class D>
losses_and_gradient evaluated(const O& objective, const C& corruption, const D& denoiser,
                              const std::vector<double>& phi, per_image<diffusion_time> at = each) {
  Be be;
  const auto clean = random_batch<double>(be, extent, 11), xi = random_batch<double>(be, extent, 12);
  auto noisy = be.template make<double>(extent);
  shape wide = extent;
  wide.channels = extent.channels * phi.size() / extent.size();
  auto output = be.template make<double>(wide);
  corruption.template corrupt<Be, double>(be, at, clean.view(), xi.view(), noisy.view());
  be.upload(phi.data(), output.view());
  auto denoiser_memory = denoiser.template workspace<double>(be, extent);
  auto memory = objective.template workspace<double>(be, extent);
  losses_and_gradient result{std::vector<double>(extent.images), {}};
  const corrupted_batch<Be, double> batch{at, clean.view(), xi.view(), noisy.view()};
  objective.evaluate(be, corruption, denoiser, denoiser_memory, batch, view_of<Be, const double>(output.view()),
                     output.view(), result.losses.data(), memory);
  result.gradient = values_of(be, output.view());
  return result;
}

// The output of a network of D's kind that leads to the estimates h.
template <class C, class D>
std::vector<double> output_for(const C& corruption, const D& denoiser, const std::vector<double>& h) {
  serial_backend be;
  const auto clean = random_batch<double>(be, extent, 11), xi = random_batch<double>(be, extent, 12);
  auto noisy = be.make<double>(extent);
  corruption.template corrupt<serial_backend, double>(be, each, clean.view(), xi.view(), noisy.view());
  std::vector<double> phi(h.size());
  for (std::size_t i = 0; i < h.size(); ++i) {
    const auto parameterization = denoiser.parameterization().weights(times[i / extent.per_image()]);
    phi[i] = (h[i] - parameterization.of_input * noisy.view()[i]) / parameterization.of_output;
  }
  return phi;
}

template <class C, class Check>
void for_every_prediction(const C& corruption, const Check& check) {
  check(residual_denoiser{scripted_network{extent}});
  check(clean_denoiser{scripted_network{extent}});
  if constexpr (ScalarGaussianCorruption<C>) {
    check(epsilon_denoiser{scripted_network{extent}, corruption});
    check(score_denoiser{scripted_network{extent}, corruption});
  }
}

template <class Check>
void for_every_weight(const Check& check) {
  check(weighted_loss<unit_weight<prediction::clean>>{});
  check(weighted_loss<unit_weight<prediction::residual>>{});
  check(weighted_loss<unit_weight<prediction::epsilon>>{});
  check(weighted_loss<unit_weight<prediction::velocity>>{});
  check(score_matching{});
  check(weighted_loss<inverse_variance_weight>{});
  check(weighted_loss<snr_weight>{});
  check(weighted_loss<truncated_snr_weight>{});
  check(weighted_loss<min_snr_weight>{});
  check(weighted_loss<p2_weight>{{.shift = 0.7, .power = 1.5}});
  check(weighted_loss<edm_weight>{});
  check(weighted_loss<elbo_weight>{{.steps = 20}});
}

const corruption preserving{scaling{}, variance_preserving{}};

}  // namespace

TEST_CASE("a weight gives one loss, whatever the network predicts", "[objective]") {
  const auto h = normal_numbers(extent.size(), 13);
  for_every_weight([&](const auto& objective) {
    const auto wanted = evaluated(objective, preserving, clean_denoiser{scripted_network{extent}}, h).losses;
    const auto check = [&](const auto& denoiser) {
      const auto found = evaluated(objective, preserving, denoiser, output_for(preserving, denoiser, h)).losses;
      // At t = .95 the gain is .01, so that h passes through numbers 100 times as large.
      for (std::size_t i = 0; i < extent.images; ++i) CHECK_THAT(found[i], WithinRel(wanted[i], 1e-11));
    };
    for_every_prediction(preserving, check);
    check(velocity_denoiser{scripted_network{extent}, preserving});
  });
}

TEST_CASE("the gradient of weighted score matching is its slope", "[objective]") {
  const auto phi = normal_numbers(extent.size(), 14);
  const auto check = [&](const auto& objective, const auto& corruption, const auto& denoiser) {
    const auto at_phi = evaluated(objective, corruption, denoiser, phi);
    const auto mean_loss = [&](const std::vector<double>& point) {
      return evaluated(objective, corruption, denoiser, point).mean();
    };
    CHECK(at_phi.mean() > 0);
    CHECK(slope_error(mean_loss, phi, at_phi.gradient) < 1e-7);
  };
  for_every_weight([&](const auto& objective) {
    for_every_prediction(preserving, [&](const auto& denoiser) { check(objective, preserving, denoiser); });
    check(objective, preserving, velocity_denoiser{scripted_network{extent}, preserving});
  });
  // Weights that need no gain, under signals of any kind.
  const corruption blurring{gaussian_blur{.half_width = 4}, two_stage{.level_max = 2.0}};
  const corruption fading{fade{}, two_stage{.level_max = 1.0}};
  const auto any = [&](const auto& corruption, const auto& objective) {
    for_every_prediction(corruption, [&](const auto& denoiser) { check(objective, corruption, denoiser); });
  };
  any(blurring, score_matching{});
  any(blurring, weighted_loss<>{});
  any(blurring, weighted_loss<inverse_variance_weight>{});
  any(fading, score_matching{});
  any(fading, weighted_loss<unit_weight<prediction::clean>>{});
}

TEST_CASE("weighted losses have the same bits where the host cannot touch the arrays", "[objective]") {
  const auto same = [](const auto& objective, const auto& corruption, const auto& denoiser,
                       const std::vector<double>& phi) {
    const auto here = evaluated(objective, corruption, denoiser, phi);
    const auto there = evaluated<opaque_backend>(objective, corruption, denoiser, phi);
    CHECK((there.losses == here.losses));
    CHECK((there.gradient == here.gradient));
  };
  const auto phi = normal_numbers(extent.size(), 19);
  const velocity_denoiser velocity{scripted_network{extent}, preserving};
  same(weighted_loss<min_snr_weight>{}, preserving, velocity, phi);
  const corruption blurring{gaussian_blur{.half_width = 4}, two_stage{.level_max = 2.0}};
  same(score_matching{}, blurring, residual_denoiser{scripted_network{extent}}, phi);
  same(learned_variance_loss{.steps = 20}, preserving, epsilon_denoiser{scripted_network{extent}, preserving},
       normal_numbers(2 * extent.size(), 20));
}

TEST_CASE("plain weights are the objectives that have names of their own", "[objective]") {
  const auto phi = normal_numbers(extent.size(), 15);
  const auto same = [&](const auto& a, const auto& b, const auto& corruption, const auto& denoiser, auto factor) {
    const auto first = evaluated(a, corruption, denoiser, phi), second = evaluated(b, corruption, denoiser, phi);
    for (std::size_t i = 0; i < extent.images; ++i)
      CHECK_THAT(first.losses[i], WithinRel(factor(corruption.sigma(times[i])) * second.losses[i], 1e-12));
  };
  const auto once = [](double) { return 1.0; };
  same(weighted_loss<>{}, epsilon_loss{}, preserving, epsilon_denoiser{scripted_network{extent}, preserving}, once);
  const corruption blurring{gaussian_blur{.half_width = 4}, two_stage{.level_max = 2.0}};
  const residual_denoiser residual{scripted_network{extent}};
  same(weighted_loss<unit_weight<prediction::clean>>{}, naive_loss{}, blurring, residual, once);
  // Daras et al. 2022, Eq. 6, under any C_t: s - (C x_0 - x_t) / sigma^2 is C (h - x_0) / sigma^2, so soft score
  // matching over sigma^4.
  same(weighted_loss<>{}, soft_score_matching_loss{}, blurring, residual, once);
  same(score_matching{}, soft_score_matching_loss{.weight = loss_weight::one}, blurring, residual,
       [](double sigma) { return std::pow(sigma, -4); });
  // 1 / sigma^2 on x_0 is soft score matching where C is the identity.
  const corruption noise{identity{}, karras_sigma{.sigma_max = 2.0}};
  same(weighted_loss<inverse_variance_weight>{}, soft_score_matching_loss{}, noise, residual, once);
}

TEST_CASE("the velocity's loss weighted by a^2 is the loss of eps", "[objective]") {
  // Salimans and Ho 2022: at fixed x_t, a^2 |v_hat - v|^2 = |eps_hat - z|^2.
  const velocity_denoiser velocity{scripted_network{extent}, preserving};
  const auto v_hat = normal_numbers(extent.size(), 16);
  const auto of_epsilon = evaluated(weighted_loss<>{}, preserving, velocity, v_hat).losses;
  const auto of_velocity = evaluated(weighted_loss<unit_weight<prediction::velocity>>{}, preserving, velocity, v_hat);
  for (std::size_t i = 0; i < extent.images; ++i) {
    const double a = preserving.signal_gain(times[i]);
    CHECK_THAT(of_epsilon[i], WithinRel(a * a * of_velocity.losses[i], 1e-12));
  }
}

TEST_CASE("weights have the reference values", "[objective]") {
  const corruption chain{scaling{}, linear_beta{}};
  const elbo_weight bound;
  const auto at = [&](int i) { return bound(chain, diffusion_time{i / 1000.0}); };
  // 12 printed digits. alpha is a ratio of exponentials, so 1 - alpha = beta carries 1e-16 of 1: 1e-12 of beta_1.
  CHECK_THAT(at(1), WithinRel(0.500050005001, 4e-12));
  CHECK_THAT(at(2), WithinRel(0.272692084278, 8e-12));
  CHECK_THAT(at(500), as_printed("0.00550343192562"));
  CHECK_THAT(at(1000), as_printed("0.0102044934686"));
  // Galerne 2024 prints 1 / beta for 1 / (2 beta), and then beta / (1 - abar): 2 alpha times the weight. Found by
  // another order of roundings, so that at 2 the same 1e-12 of beta_2 and more is left.
  for (const int i : {2, 500, 1000}) {
    const double abar = std::pow(chain.signal_gain(diffusion_time{i / 1000.0}), 2);
    const double alpha = abar / std::pow(chain.signal_gain(diffusion_time{(i - 1) / 1000.0}), 2);
    const double printed_on_slide = (1 - alpha) / (1 - abar);
    CHECK_THAT(at(i), WithinRel(printed_on_slide / (2 * alpha), 8e-12));
    CHECK(printed_on_slide > 1.9 * at(i));
  }

  const diffusion_time t{0.4};
  const double a = preserving.signal_gain(t), sigma = preserving.sigma(t), snr = a * a / (sigma * sigma);
  CHECK_THAT(snr_weight{}(preserving, t), WithinRel(snr, 1e-14));
  CHECK(truncated_snr_weight{}(preserving, t) == 1.0);
  CHECK_THAT(truncated_snr_weight{}(preserving, diffusion_time{0.01}),
             WithinRel(snr_weight{}(preserving, diffusion_time{0.01}), 1e-15));
  CHECK_THAT(min_snr_weight{}(preserving, t), WithinRel(snr, 1e-14));
  CHECK(min_snr_weight{}(preserving, diffusion_time{0.01}) == 5.0);
  CHECK_THAT(inverse_variance_weight{}(preserving, t), WithinRel(1 / (sigma * sigma), 1e-14));
  CHECK_THAT((p2_weight{.shift = 1.0, .power = 0.5}(preserving, t)), WithinRel(1 / std::sqrt(1 + snr), 1e-14));
  // Karras et al. 2022, Table 1: 5 at sigma 1 for data of deviation .5.
  const corruption unit{identity{}, karras_sigma{.sigma_min = 0.0, .sigma_max = 1.0, .rho = 1.0}};
  CHECK_THAT(edm_weight{}(unit, diffusion_time{1.0}), WithinAbs(5.0, 1e-14));

  // Own derivation: SNR on x_0 is 1 on eps; max(SNR, 1) on x_0 is max(1, 1 / SNR) on eps and max(a^2, sigma^2) on v.
  CHECK_THAT(weight_on(prediction::epsilon, prediction::clean, snr, a, sigma), WithinRel(1.0, 1e-14));
  CHECK_THAT(weight_on(prediction::epsilon, prediction::clean, std::max(snr, 1.0), a, sigma),
             WithinRel(std::max(1.0, 1.0 / snr), 1e-14));
  CHECK_THAT(weight_on(prediction::velocity, prediction::clean, std::max(snr, 1.0), a, sigma),
             WithinRel(std::max(a * a, sigma * sigma), 1e-14));
  CHECK_THAT(weight_on(prediction::score, prediction::epsilon, 1.0, a, sigma), WithinRel(sigma * sigma, 1e-14));
}

TEST_CASE("a velocity can be trained where nothing is left of the signal", "[objective]") {
  // Zero terminal SNR: a = 0, so eps says nothing; v = -x_0 there, and its loss is that of x_0.
  const corruption ending{scaling{}, cosine{}};
  const velocity_denoiser velocity{scripted_network{extent}, ending};
  const auto phi = normal_numbers(extent.size(), 17);
  const per_image<diffusion_time> end{diffusion_time{1.0}};
  const auto found = evaluated(weighted_loss<unit_weight<prediction::velocity>>{}, ending, velocity, phi, end);
  serial_backend be;
  const auto clean = random_batch<double>(be, extent, 11);
  double wanted = 0;
  for (std::size_t k = 0; k < extent.per_image(); ++k) wanted += std::pow(phi[k] + clean.view()[k], 2);
  CHECK_THAT(found.losses[0], WithinRel(wanted / static_cast<double>(extent.per_image()), 1e-13));
  CHECK_REFUSED((epsilon_denoiser{scripted_network{extent}, ending}.check(diffusion_time{1.0})),
                "the signal's gain under an epsilon prediction is 0, but it must be above 0");
}

namespace {

// KL(N(a, A) || N(b, B)) of numbers.
double divergence(double a, double A, double b, double B) {
  return 0.5 * (A / B - 1 + (a - b) * (a - b) / B + std::log(B / A));
}

}  // namespace

TEST_CASE("the learned variance's loss is the bound's, and stops at the mean", "[objective]") {
  const std::size_t steps = 20;
  const corruption chain{scaling{}, linear_beta{steps, 0.01, 0.3}};
  const std::vector<diffusion_time> at{{1.0}, {0.5}, {0.05}};  // t = 20, 10, 1
  const per_image<diffusion_time> indices{std::span<const diffusion_time>{at}};
  const learned_variance_loss objective{.steps = steps};
  const epsilon_denoiser denoiser{scripted_network{extent}, chain};
  const auto phi = normal_numbers(2 * extent.size(), 18);
  const auto found = evaluated(objective, chain, denoiser, phi, indices);

  serial_backend be;
  const auto clean = random_batch<double>(be, extent, 11), xi = random_batch<double>(be, extent, 12);
  const std::size_t d = extent.per_image();
  // The loss of one image (Nichol and Dhariwal 2021, Eq. 15 and 16) from the posterior and the divergence of normal
  // distributions, with the mean of the model at the given estimates of eps.
  const auto by_hand = [&](std::size_t i, const std::vector<double>& eps_hat, const std::vector<double>& u) {
    const double t = at[i].value, s = t < 0.06 ? 0.0 : t - 0.05;
    const auto abar = [&](double time) { return std::pow(chain.signal_gain(diffusion_time{time}), 2); };
    const double alpha = abar(t) / abar(s), beta = 1 - alpha, tilde = beta * (1 - abar(s)) / (1 - abar(t));
    // btilde_1 is clipped to btilde_2.
    const double least = s > 0.0 ? tilde : (1 - abar(0.1) / abar(0.05)) * (1 - abar(0.05)) / (1 - abar(0.1));
    double sum = 0;
    for (std::size_t k = 0; k < d; ++k) {
      const double x_0 = clean.view().image(i)[k],
                   x = std::sqrt(abar(t)) * x_0 + std::sqrt(1 - abar(t)) * xi.view().image(i)[k];
      const double h = (x - std::sqrt(1 - abar(t)) * eps_hat[k]) / std::sqrt(abar(t));
      const auto mean = [&](double of) {
        return std::sqrt(abar(s)) * beta / (1 - abar(t)) * of + std::sqrt(alpha) * (1 - abar(s)) / (1 - abar(t)) * x;
      };
      const double variance = std::exp(u[k] * std::log(beta) + (1 - u[k]) * std::log(least));
      sum += s > 0.0 ? divergence(mean(x_0), tilde, mean(h), variance)
                     : 0.5 * (std::log(2 * std::numbers::pi * variance) + (x_0 - h) * (x_0 - h) / variance);
    }
    return sum / static_cast<double>(d);
  };
  const auto half = [&](std::size_t i, std::size_t which, const std::vector<double>& of) {
    const auto from = of.begin() + static_cast<std::ptrdiff_t>((2 * i + which) * d);
    return std::vector<double>(from, from + static_cast<std::ptrdiff_t>(d));
  };
  for (std::size_t i = 0; i < extent.images; ++i) {
    double simple = 0;
    const auto eps_hat = half(i, 0, phi);
    for (std::size_t k = 0; k < d; ++k) simple += std::pow(eps_hat[k] - xi.view().image(i)[k], 2);
    const double bound = by_hand(i, eps_hat, half(i, 1, phi));
    // Differences of logarithms and means lose three digits at most.
    CHECK_THAT(found.losses[i], WithinRel(simple / static_cast<double>(d) + 0.001 * 20 * bound, 1e-11));
  }
  // The gradient is the slope of the simple loss in eps, and of the bound in u with eps held at its value.
  const auto held = phi;
  const auto stopped = [&](const std::vector<double>& point) {
    double sum = 0;
    for (std::size_t i = 0; i < extent.images; ++i) {
      double simple = 0;
      const auto eps_hat = half(i, 0, point);
      for (std::size_t k = 0; k < d; ++k) simple += std::pow(eps_hat[k] - xi.view().image(i)[k], 2);
      sum += simple / static_cast<double>(d) + 0.02 * by_hand(i, half(i, 0, held), half(i, 1, point));
    }
    return sum / static_cast<double>(extent.images);
  };
  CHECK(slope_error(stopped, phi, found.gradient) < 1e-7);
  CHECK_REFUSED(evaluated(objective, chain, denoiser, normal_numbers(extent.size(), 1), indices),
                "channels of the network's output is 2, but it must be twice those of the images");
  CHECK_REFUSED(variance_range::at(chain, diffusion_time{1.0}, 1), "steps is 1, but it must be at least 2");
}
