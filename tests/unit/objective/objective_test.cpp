// Every objective's gradient against its slope, in double, for every prediction and for operators of every kind; its
// value against the formula (Ho et al. 2020; Bansal et al. 2022; Daras et al. 2022; Salimans and Ho 2022; Knottenbelt
// n.d.); and reference values of our own derivation.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <oneapi/tbb/global_control.h>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/objective/cold_loss.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/objective/naive_loss.hpp>
#include <softscore/objective/soft_score_matching_loss.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gathered.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/on_host.hpp>
#include <softscore/operator/scaling.hpp>

#include "printed.hpp"
#include "random_batch.hpp"
#include "scripted_network.hpp"
#include "slope.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

// Shifts the image by the level's share of a pixel to the left: not symmetric.
struct drift {};

// C_t of the reference values, at every level above 0.
struct mixing_matrix {};
struct mixing_schedule {
  level level_at(diffusion_time t) const { return level{t.value}; }
  double sigma_at(diffusion_time) const { return 0.3; }
};

}  // namespace

template <>
struct softscore::degradation<drift> : softscore::gathered<softscore::degradation<drift>> {
  template <class T>
  static double apply_pixel(const drift&, level w, const shape& s, pixel p, const T* image) {
    const std::size_t at = p.offset(s);
    return (1 - w.value) * static_cast<double>(image[at]) +
           (p.column + 1 < s.width ? w.value * static_cast<double>(image[at + 1]) : 0.0);
  }
  template <class T>
  static double adjoint_pixel(const drift&, level w, const shape& s, pixel p, const T* image) {
    const std::size_t at = p.offset(s);
    return (1 - w.value) * static_cast<double>(image[at]) +
           (p.column > 0 ? w.value * static_cast<double>(image[at - 1]) : 0.0);
  }
};

template <>
struct softscore::degradation<mixing_matrix> : softscore::on_host<softscore::degradation<mixing_matrix>> {
  template <class T>
  static void apply_image(const mixing_matrix&, level, const shape&, std::span<const T> in, std::span<T> out) {
    out[0] = static_cast<T>(0.8 * in[0] + 0.1 * in[1]);
    out[1] = static_cast<T>(0.1 * in[0] + 0.5 * in[1]);
  }
  template <class T>
  static void transpose_image(const mixing_matrix& op, level w, const shape& s, std::span<const T> in,
                              std::span<T> out) {
    apply_image(op, w, s, in, out);
  }
};

namespace {

const shape extent{3, 2, 5, 4};
const std::vector<diffusion_time> times{{1.0}, {0.55}, {0.2}};
const per_image<diffusion_time> each{std::span<const diffusion_time>{times}};

struct losses_and_gradient {
  std::vector<double> losses, gradient;
  double mean() const {
    double sum = 0;
    for (const double l : losses) sum += l;
    return sum / static_cast<double>(losses.size());
  }
};

// An objective at output `phi` on one corrupted batch.
template <class Be, class O, class C, class D>
losses_and_gradient evaluated(Be& be, const O& objective, const C& corruption, const D& denoiser,
                              const std::vector<double>& phi) {
  static_assert(Objective<O, C, D, Be, double>);
  const auto clean = random_batch<double>(be, extent, 11), xi = random_batch<double>(be, extent, 12);
  auto noisy = be.template make<double>(extent), output = be.template make<double>(extent);
  corruption.template corrupt<Be, double>(be, each, clean.view(), xi.view(), noisy.view());
  be.upload(phi.data(), output.view());
  auto denoiser_memory = denoiser.template workspace<double>(be, extent);
  auto memory = objective.template workspace<double>(be, extent);
  losses_and_gradient result{std::vector<double>(extent.images), {}};
  const corrupted_batch<Be, double> batch{each, clean.view(), xi.view(), noisy.view()};
  // The gradient may take the output's place, as in training.
  objective.evaluate(be, corruption, denoiser, denoiser_memory, batch, view_of<Be, const double>(output.view()),
                     output.view(), result.losses.data(), memory);
  result.gradient = values_of(be, output.view());
  return result;
}

template <class O, class C, class D>
void check_gradient(const O& objective, const C& corruption, const D& denoiser) {
  serial_backend be;
  const auto phi = normal_numbers(extent.size(), 13);
  const auto at_phi = evaluated(be, objective, corruption, denoiser, phi);
  const auto mean_loss = [&](const std::vector<double>& point) {
    return evaluated(be, objective, corruption, denoiser, point).mean();
  };
  CHECK(at_phi.mean() > 0);
  CHECK(slope_error(mean_loss, phi, at_phi.gradient) < 1e-7);
}

// Calls check(corruption) for normal noise under operators of every kind.
template <class Check>
void for_every_normal_corruption(const Check& check) {
  check(corruption{gaussian_blur{.half_width = 4}, two_stage{.level_max = 2.0}});
  check(corruption{centered_mask{}, two_stage{.level_min = 0, .level_max = 3, .levels = spacing::linear}});
  check(corruption{fade{}, two_stage{.level_max = 1.0}});
  check(corruption{drift{}, two_stage{.level_max = 0.9}});
  check(corruption{scaling{}, variance_preserving{}});
}

// Calls check(denoiser) for the predictions that a corruption allows.
template <class C, class Check>
void for_every_prediction(const C& corruption, const Check& check) {
  check(residual_denoiser{scripted_network{extent}});
  check(clean_denoiser{scripted_network{extent}});
  if constexpr (GaussianCorruption<C> && ScalarSignal<C>) {
    check(epsilon_denoiser{scripted_network{extent}, corruption});
    check(velocity_denoiser{scripted_network{extent}, corruption});
  }
}

}  // namespace

TEST_CASE("the gradient of soft score matching is its slope", "[objective]") {
  for_every_normal_corruption([](const auto& corruption) {
    for_every_prediction(corruption, [&](const auto& denoiser) {
      check_gradient(soft_score_matching_loss{}, corruption, denoiser);
      check_gradient(soft_score_matching_loss{.weight = loss_weight::one}, corruption, denoiser);
      check_gradient(soft_score_matching_loss{.ahead = 0.25}, corruption, denoiser);
    });
  });
}

TEST_CASE("the gradient of the naive objective is its slope", "[objective]") {
  for_every_normal_corruption([](const auto& corruption) {
    for_every_prediction(corruption, [&](const auto& denoiser) { check_gradient(naive_loss{}, corruption, denoiser); });
  });
}

TEST_CASE("the gradient of the epsilon objective is its slope", "[objective]") {
  const corruption preserving{scaling{}, variance_preserving{}};
  check_gradient(epsilon_loss{}, preserving, epsilon_denoiser{scripted_network{extent}, preserving});
}

TEST_CASE("the gradient of the cold objective is its slope", "[objective]") {
  const background_corruption erasing{eraser{extent.height, extent.width, 10}, severity{10.0}};
  const auto check = [](const auto& corruption) {
    for_every_prediction(corruption, [&](const auto& denoiser) {
      check_gradient(cold_loss{restoration_norm::l2}, corruption, denoiser);
      // |.| has no slope at 0; the smallest of 120 residuals is far above the step of the difference.
      check_gradient(cold_loss{restoration_norm::l1}, corruption, denoiser);
    });
  };
  check(erasing);
  for_every_normal_corruption(check);
}

TEST_CASE("losses are the published formulas, per image, as means over elements", "[objective]") {
  serial_backend be;
  const corruption blurring{gaussian_blur{.half_width = 4}, two_stage{.level_max = 2.0}};
  const corruption preserving{scaling{}, variance_preserving{}};
  const auto phi = normal_numbers(extent.size(), 13);
  const auto clean = values_of(be, random_batch<double>(be, extent, 11).view());
  const auto xi = values_of(be, random_batch<double>(be, extent, 12).view());
  const auto check = [&](const auto& objective, const auto& corruption, const auto& denoiser, const auto& formula) {
    auto clean_array = random_batch<double>(be, extent, 11), xi_array = random_batch<double>(be, extent, 12);
    auto noisy = be.make<double>(extent);
    corruption.template corrupt<serial_backend, double>(be, each, clean_array.view(), xi_array.view(), noisy.view());
    const auto x = values_of(be, noisy.view());
    const auto found = evaluated(be, objective, corruption, denoiser, phi).losses;
    for (std::size_t i = 0; i < extent.images; ++i) {
      // Sums of 40 terms in another order.
      CHECK_THAT(found[i], WithinRel(formula(corruption, x, i), 1e-12));
    }
  };
  const std::size_t n = extent.per_image();
  const auto mean_of = [&](std::size_t i, auto term) {
    double sum = 0;
    for (std::size_t k = i * n; k < (i + 1) * n; ++k) sum += term(k);
    return sum / static_cast<double>(n);
  };
  const residual_denoiser residual{scripted_network{extent}};
  // Daras et al. 2022, Eq. 12: w |C (phi - (x_0 - x_t))|^2.
  const auto soft = [&](bool weighted, double ahead = 0.0) {
    return [&, weighted, ahead](const auto& corruption, const std::vector<double>& x, std::size_t i) {
      auto difference = be.make<double>(extent), corrupted = be.make<double>(extent);
      std::vector<diffusion_time> compared(times.begin(), times.end());
      for (diffusion_time& t : compared) t.value = std::max(0.0, t.value - ahead);
      const per_image<diffusion_time> earlier{std::span<const diffusion_time>{compared}};
      for (std::size_t k = 0; k < x.size(); ++k) difference.view()[k] = phi[k] - (clean[k] - x[k]);
      corruption.template signal<serial_backend, double>(be, earlier, difference.view(), corrupted.view());
      const double sigma = corruption.sigma(times[i]), weight = weighted ? 1 / (sigma * sigma) : 1.0;
      return weight * mean_of(i, [&](std::size_t k) { return corrupted.view()[k] * corrupted.view()[k]; });
    };
  };
  check(soft_score_matching_loss{}, blurring, residual, soft(true));
  check(soft_score_matching_loss{.weight = loss_weight::one}, blurring, residual, soft(false));
  // Looking ahead, C is that of the earlier time, the weight still that of t; before time 0 it is that of 0.
  check(soft_score_matching_loss{.ahead = 0.2}, blurring, residual, soft(true, 0.2));
  check(soft_score_matching_loss{.ahead = 1.0}, blurring, residual, soft(true, 1.0));
  // Daras et al. 2022, Section 3.1: |phi - (x_0 - x_t)|^2.
  check(naive_loss{}, blurring, residual, [&](const auto&, const std::vector<double>& x, std::size_t i) {
    return mean_of(i, [&](std::size_t k) { return std::pow(phi[k] - (clean[k] - x[k]), 2); });
  });
  // Ho et al. 2020, Algorithm 1: |phi - z|^2.
  check(epsilon_loss{}, preserving, epsilon_denoiser{scripted_network{extent}, preserving},
        [&](const auto&, const std::vector<double>&, std::size_t i) {
          return mean_of(i, [&](std::size_t k) { return std::pow(phi[k] - xi[k], 2); });
        });
  // Bansal et al. 2022: |phi - x_0|, squared or not, for a network that predicts x_0.
  const clean_denoiser direct{scripted_network{extent}};
  check(cold_loss{}, blurring, direct, [&](const auto&, const std::vector<double>&, std::size_t i) {
    return mean_of(i, [&](std::size_t k) { return std::pow(phi[k] - clean[k], 2); });
  });
  check(cold_loss{restoration_norm::l1}, blurring, direct, [&](const auto&, const std::vector<double>&, std::size_t i) {
    return mean_of(i, [&](std::size_t k) { return std::abs(phi[k] - clean[k]); });
  });
}

TEST_CASE("at fixed x_t the velocity objective weighted by a^2 is the epsilon objective", "[objective]") {
  // Salimans and Ho 2022: a^2 |v_hat - v|^2 = |eps_hat - z|^2, for the v_hat and eps_hat that belong to one h; and the
  // parameterizations lead back to it.
  const corruption preserving{scaling{}, variance_preserving{}};
  for (const double time : {0.2, 0.6, 1.0}) {
    const diffusion_time t{time};
    const double a = preserving.signal_gain(t), sigma = preserving.sigma(t), x_0 = 0.4, z = -0.8,
                 x = a * x_0 + sigma * z;
    const double h = 0.9, eps_hat = (x - a * h) / sigma, v_hat = (a * x - h) / sigma, v = a * z - sigma * x_0;
    CHECK_THAT(a * a * (v_hat - v) * (v_hat - v), WithinRel((eps_hat - z) * (eps_hat - z), 1e-10));
    const auto of_velocity = velocity_parameterization{preserving}.weights(t),
               of_noise = epsilon_parameterization{preserving}.weights(t);
    CHECK_THAT(of_velocity.of_input * x + of_velocity.of_output * v_hat, WithinAbs(h, 1e-13));
    CHECK_THAT(of_noise.of_input * x + of_noise.of_output * eps_hat, WithinAbs(h, 1e-12));
  }
}

TEST_CASE("soft score matching has the reference loss and gradient", "[objective]") {
  serial_backend be;
  const shape pair{1, 1, 1, 2};
  const auto holding = [&](double first, double second) {
    auto array = be.make<double>(pair);
    array.view()[0] = first;
    array.view()[1] = second;
    return array;
  };
  auto x = holding(1, -1), clean = holding(.7, .4), xi = holding(0, 0), phi = holding(.3, -.2);
  auto gradient = be.make<double>(pair);
  const corruption mixing{mixing_matrix{}, mixing_schedule{}};
  const residual_denoiser denoiser{scripted_network{pair}};
  auto denoiser_memory = denoiser.workspace<double>(be, pair);
  auto memory = soft_score_matching_loss{}.workspace<double>(be, pair);
  double loss = 0;
  const corrupted_batch<serial_backend, double> batch{diffusion_time{1.0}, clean.view(), xi.view(), x.view()};
  soft_score_matching_loss{}.evaluate(be, mixing, denoiser, denoiser_memory, batch,
                                      view<const double, host_space>(phi.view()), gradient.view(), &loss, memory);
  // The reference values are sums over the two elements, ours are means.
  CHECK_THAT(2 * loss, as_printed("7.22222222222"));
  CHECK_THAT(2 * gradient.view()[0], as_printed("4.04444444444"));
  CHECK_THAT(2 * gradient.view()[1], as_printed("-7.51111111111"));
  // phi - (x_0 - x_t) = (.6, -1.6), which C takes to (.32, -.74), and C^T takes that to (.182, -.338); w = 1 / .09.
  CHECK_THAT(2 * loss, WithinAbs((0.32 * 0.32 + 0.74 * 0.74) / 0.09, 1e-12));
  CHECK_THAT(2 * gradient.view()[0], WithinAbs(2 * 0.182 / 0.09, 1e-12));
  CHECK_THAT(2 * gradient.view()[1], WithinAbs(-2 * 0.338 / 0.09, 1e-12));
}

TEST_CASE("objectives have the same bits on any number of threads", "[objective]") {
  // Three threads even where there are two processors.
  const oneapi::tbb::global_control three_threads{oneapi::tbb::global_control::max_allowed_parallelism, 3};
  tbb_backend one{1}, two{2}, three{3};
  const auto phi = normal_numbers(extent.size(), 13);
  for_every_normal_corruption([&](const auto& corruption) {
    const residual_denoiser denoiser{scripted_network{extent}};
    const auto first = evaluated(one, soft_score_matching_loss{}, corruption, denoiser, phi);
    for (auto* be : {&two, &three}) {
      const auto other = evaluated(*be, soft_score_matching_loss{}, corruption, denoiser, phi);
      CHECK((other.losses == first.losses));
      CHECK((other.gradient == first.gradient));
    }
  });
}
