#include <softscore/denoiser/edm_denoiser.hpp>

#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/karras_sigma.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/weighted_loss.hpp>
#include <softscore/objective/weights.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/integrate.hpp>

#include "printed.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"
#include "scripted_network.hpp"
#include "slope.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {

using exploding = corruption<identity, karras_sigma>;
const exploding karras{identity{}, karras_sigma{}};
const corruption<scaling, variance_preserving> preserving{scaling{}, variance_preserving{}};

// The toy network of the published vectors, F = x t / (t + 1).
struct toy_network {
  struct nothing {};
  shape image() const { return {1, 3, 16, 16}; }
  template <class T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void evaluate(Be& be, per_image<c_noise> times, view<const T, Space> x, view<T, Space> out, nothing&) const {
    const double t = times[0].value;
    be.combine(out, term<T, Space>{t / (t + 1.0), x});
  }
};

static_assert(Network<edm_network<plain_cnn, exploding>, serial_backend, double>);
// What the wrapped network is shown is no time, and cannot be taken for one.
static_assert(Network<plain_cnn, serial_backend, double, c_noise> && NetworkInput<per_image<c_noise>>);
static_assert(!std::is_convertible_v<c_noise, diffusion_time> && !NetworkInput<double> && !NetworkInput<level>);
static_assert(Trainable<edm_denoiser<plain_cnn, exploding>>);
static_assert(DifferentiableDenoiser<edm_denoiser<plain_cnn, exploding>, serial_backend, float>);

}  // namespace

TEST_CASE("the preconditioning of Karras et al. 2022 has the reference values", "[denoiser]") {
  const edm_numbers n = edm_preconditioning(1.0, 0.5);
  CHECK_THAT(n.skip, WithinAbs(.2, 1e-15));
  CHECK_THAT(n.out, as_printed(".447213595500"));
  CHECK_THAT(n.in, as_printed(".894427191000"));
  CHECK_THAT(n.out, WithinAbs(0.5 / std::sqrt(1.25), 1e-12));
  CHECK_THAT(n.in, WithinAbs(1 / std::sqrt(1.25), 1e-12));
  CHECK(n.label == 0.0);
  // Weight 5, with which the network's own error counts alike at every noise: weight out^2 = 1.
  CHECK_THAT(edm_weight{}(exploding{identity{}, karras_sigma{1.0, 2.0}}, diffusion_time{0.0}), WithinAbs(5.0, 1e-14));
  for (const double noise : {0.002, 0.3, 80.0}) {
    const edm_numbers m = edm_preconditioning(noise, 0.5);
    CHECK_THAT(m.out * m.out * (noise * noise + 0.25) / (0.25 * noise * noise), WithinAbs(1.0, 1e-14));
    // What the network sees has variance 1, and what it should give too: (skip - 1)^2 d^2 + skip^2 s^2 = out^2.
    CHECK_THAT(m.in * m.in * (noise * noise + 0.25), WithinAbs(1.0, 1e-14));
    CHECK_THAT(((m.skip - 1) * (m.skip - 1) * 0.25 + m.skip * m.skip * noise * noise) / (m.out * m.out),
               WithinAbs(1.0, 1e-12));
  }
}

TEST_CASE("Euler's method on a preconditioned network has the reference sum", "[denoiser]") {
  // Karras' ten noises from 80 to .002, then 0; a ramp i / 768 times sqrt(6401). DDIM without noise is Euler in sigma.
  serial_backend be;
  const shape ramp{1, 3, 16, 16};
  const edm_denoiser<toy_network, exploding> denoiser{toy_network{}, karras};
  start_point<serial_backend, double> from{be.make<double>(ramp), be.make<double>(ramp), {0, 1}};
  for (std::size_t i = 0; i < 768; ++i) from.x.view()[i] = static_cast<double>(i) / 768.0 * std::sqrt(6401.0);
  // The schedule's time 0 is sigma .002, and the last step goes from there to 0 by returning h.
  std::vector<double> times;
  for (int i = 0; i < 10; ++i) times.push_back(1.0 - i / 9.0);
  times.back() = 1e-300;
  times.push_back(0.0);
  const auto end = integrate(be, ddim{}, karras, denoiser, time_grid{times}, std::move(from), 0);
  double sum = 0;
  for (std::size_t i = 0; i < 768; ++i) sum += std::abs(end.x.view()[i]);
  CHECK_THAT(sum, as_printed("34.1854942978"));
  // The same in one factor, for every step is linear: x += (next - sigma)(x - h) / sigma.
  double factor = std::sqrt(6401.0);
  const auto noise_at = [](int i) {
    const double high = std::pow(80.0, 1.0 / 7), low = std::pow(0.002, 1.0 / 7);
    return i == 10 ? 0.0 : std::pow(high + i / 9.0 * (low - high), 7.0);
  };
  for (int i = 0; i < 10; ++i) {
    const double noise = noise_at(i), all = noise * noise + 0.25, label = 0.25 * std::log(noise);
    const double h = 0.25 / all + 0.5 * noise / std::sqrt(all) * label / (label + 1) / std::sqrt(all);
    factor *= 1 + (noise_at(i + 1) - noise) / noise * (1 - h);
  }
  // The ramp's sum is 767 / 2; 768 numbers below 1, each to a few roundings.
  CHECK_THAT(sum, WithinAbs(std::abs(factor) * 767 / 2, 1e-12 * 34));
}

TEST_CASE("a preconditioned network is shown x / (a sqrt(s^2 + d^2)) and ln(s) / 4", "[denoiser]") {
  serial_backend be;
  const shape image{1, 1, 4, 4}, three = image.with_images(3);
  const edm_denoiser denoiser{scripted_network{image}, preserving};
  const auto x = random_batch<double>(be, three, 1), v = random_batch<double>(be, three, 2);
  auto h = be.make<double>(three), pulled = be.make<double>(three);
  const std::vector<diffusion_time> times{{0.9}, {0.4}, {0.05}};
  const condition q{{0, 3}, per_image<diffusion_time>{std::span<const diffusion_time>{times}}};
  auto memory = denoiser.workspace<double>(be, three);
  denoiser.estimate(be, q, x.view(), h.view(), memory);
  denoiser.pullback(be, q, v.view(), pulled.view(), memory);
  for (std::size_t i = 0; i < 3; ++i) {
    const double a = preserving.signal_gain(times[i]), s = preserving.sigma(times[i]) / a, sum = s * s + 0.25;
    for (std::size_t k = 0; k < 16; ++k) {
      const double clean = x.view()[16 * i + k] / a, in = clean / std::sqrt(sum);
      // phi = p_0 x + p_1 t + p_2 x^2
      const double phi = 0.5 * in + 0.25 * 0.25 * std::log(s) - 0.125 * in * in;
      CHECK_THAT(h.view()[16 * i + k], WithinAbs(0.25 / sum * clean + 0.5 * s / std::sqrt(sum) * phi, 1e-12));
      const double slope = 0.25 / sum / a + 0.5 * s / std::sqrt(sum) * (0.5 - 0.25 * in) / (std::sqrt(sum) * a);
      CHECK_THAT(pulled.view()[16 * i + k], WithinAbs(slope * v.view()[16 * i + k], 1e-12 * (1 + std::abs(slope))));
    }
  }
  CHECK_REFUSED((edm_denoiser{scripted_network{image}, preserving, 0.0}),
                "data_deviation is 0, but it must be above 0");
  CHECK_REFUSED(denoiser.check(diffusion_time{0.0}),
                "sigma / a under EDM's preconditioning is 0, but it must be above 0");
}

TEST_CASE("under EDM's weight a preconditioned network is trained on a target of variance 1, all noises alike",
          "[denoiser]") {
  // weight mean |h - x_0|^2 = mean |phi - (x_0 - skip x / a) / out|^2.
  serial_backend be;
  const shape image{1, 1, 4, 4}, three = image.with_images(3);
  const edm_denoiser denoiser{scripted_network{image}, preserving};
  const weighted_loss<edm_weight> objective{};
  const auto clean = random_batch<double>(be, three, 1), xi = random_batch<double>(be, three, 2),
             phi = random_batch<double>(be, three, 3);
  auto noisy = be.make<double>(three), gradient = be.make<double>(three);
  const std::vector<diffusion_time> times{{0.9}, {0.4}, {0.05}};
  const per_image<diffusion_time> at{std::span<const diffusion_time>{times}};
  preserving.corrupt(be, at, clean.view(), xi.view(), noisy.view());
  auto memory = denoiser.workspace<double>(be, three);
  auto scratch = objective.workspace<double>(be, three);
  std::vector<double> losses(3);
  objective.evaluate(be, preserving, denoiser, memory,
                     corrupted_batch<serial_backend, double>{at, clean.view(), xi.view(), noisy.view()}, phi.view(),
                     gradient.view(), losses.data(), scratch);
  for (std::size_t i = 0; i < 3; ++i) {
    const double a = preserving.signal_gain(times[i]);
    const edm_numbers n = edm_preconditioning(preserving.sigma(times[i]) / a, 0.5);
    double loss = 0;
    for (std::size_t k = 16 * i; k < 16 * (i + 1); ++k) {
      const double error = phi.view()[k] - (clean.view()[k] - n.skip * noisy.view()[k] / a) / n.out;
      loss += error * error / 16;
      // The mean over 16 elements and 3 images; numbers below 100 times a rounding, through 1 / out.
      CHECK_THAT(gradient.view()[k], WithinAbs(2 * error / 48, 1e-12));
    }
    CHECK_THAT(losses[i], WithinAbs(loss, 1e-11));
  }
}

TEST_CASE("the plain CNN trains under EDM's preconditioning", "[denoiser]") {
  // Gradients of <phi, w> in the parameters and in x, against differences.
  serial_backend be;
  const shape image{1, 1, 6, 6}, two = image.with_images(2);
  edm_network<plain_cnn, exploding> network{plain_cnn{{3}, image}, karras, 0.5};
  network.initialize(4);
  const std::vector<diffusion_time> times{{0.3}, {0.6}};
  const per_image<diffusion_time> at{std::span<const diffusion_time>{times}};
  auto memory = network.workspace<double>(be, two);
  const shape flat{1, 1, 1, network.parameter_count()};
  auto parameters = be.make<double>(flat), of_parameters = be.make<double>(flat);
  auto x = be.make<double>(two), w = be.make<double>(two), out = be.make<double>(two), of_x = be.make<double>(two);
  const auto given = network.parameters();
  const std::vector<double> weights(given.begin(), given.end());
  const auto place = normal_numbers(two.size(), 1), along = normal_numbers(two.size(), 2);
  be.upload(along.data(), w.view());
  const auto value = [&](const std::vector<double>& p, const std::vector<double>& point) {
    be.upload(p.data(), parameters.view());
    be.upload(point.data(), x.view());
    network.forward(be, view<const double, host_space>(parameters.view()), at, view<const double, host_space>(x.view()),
                    out.view(), memory);
    double all = 0;
    for (std::size_t i = 0; i < out.view().size(); ++i) all += out.view()[i] * along[i];
    return all;
  };
  value(weights, place);
  network.backward(be, view<const double, host_space>(parameters.view()), view<const double, host_space>(w.view()),
                   of_x.view(), of_parameters.view(), memory);
  const auto slope_in_x = values_of(be, of_x.view()), slope_in_weights = values_of(be, of_parameters.view());
  auto again = be.make<double>(two);
  network.pullback(be, view<const double, host_space>(w.view()), again.view(), memory);
  CHECK((values_of(be, again.view()) == slope_in_x));
  CHECK(slope_error([&](const auto& point) { return value(weights, point); }, place, slope_in_x) < 1e-7);
  CHECK(slope_error([&](const auto& p) { return value(p, place); }, weights, slope_in_weights) < 1e-7);
}
