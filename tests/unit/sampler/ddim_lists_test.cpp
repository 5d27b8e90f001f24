// DDIM (Song, Meng and Ermon 2021) along the lists of indices of Lin et al. 2023, on a toy network with its estimate
// cut to [-1, 1]. The network of Salimans and Ho 2022 predicts v.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/spacing.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/clipped_ddim.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/integrate.hpp>

#include "given_noise_backend.hpp"
#include "printed.hpp"
#include "scripted_network.hpp"

using namespace softscore;

namespace {

using chain = corruption<scaling, linear_beta>;

// eps = x t / (t + 1), t an index from 0.
struct toy_denoiser {
  static constexpr int evaluations = 1;
  const chain& of;
  struct nothing {};

  template <Scalar T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void estimate(Be& be, const condition& q, view<const T, Space> x, view<T, Space> out, nothing&) const {
    const diffusion_time t = q.times[0];
    const double index = std::round(t.value * 1000) - 1, phi = index / (index + 1);
    be.combine(out, term<T, Space>{(1 - of.sigma(t) * phi) / of.signal_gain(t), x});
    be.for_each([](T& h) { h = std::clamp(h, T{-1}, T{1}); }, out);
  }
};

double sum_after(const chain& ddpm_chain, const std::vector<time_grid>& grids) {
  const shape ramp{1, 3, 16, 16};
  serial_backend be;
  std::vector<double> x(768);
  for (std::size_t i = 0; i < 768; ++i) x[i] = static_cast<double>(i) / 768;
  for (const time_grid& grid : grids) {
    start_point<serial_backend, double> from{be.make<double>(ramp), be.make<double>(ramp), {0, 1}};
    be.upload(x.data(), from.x.view());
    const auto end = integrate(be, ddim{}, ddpm_chain, toy_denoiser{ddpm_chain}, grid, std::move(from), 0);
    be.download(end.x.view(), x.data());
  }
  double sum = 0;
  for (const double each : x) sum += std::abs(each);
  return sum;
}
double sum_after(const chain& ddpm_chain, const time_grid& grid) { return sum_after(ddpm_chain, std::vector{grid}); }

// The mistake that the reference sums detect: from every index of the list a step as long as the whole part of T / N,
// wherever the list goes on. Below index 0 there is time 0.
double sum_by_stride(const chain& ddpm_chain, const std::vector<std::size_t>& list) {
  std::vector<time_grid> steps;
  const std::size_t stride = 1000 / list.size();
  for (const std::size_t index : list)
    steps.push_back(time_grid{{static_cast<double>(index + 1) / 1000,
                               index < stride ? 0.0 : static_cast<double>(index - stride + 1) / 1000}});
  return sum_after(ddpm_chain, steps);
}

}  // namespace

TEST_CASE("DDIM along leading, rounded linspace and trailing lists gives the reference sums", "[sampler]") {
  const chain usual{scaling{}, linear_beta{}};
  CHECK_THAT(sum_after(usual, leading_grid(1000, 10)), as_printed("172.006522168"));
  const double linspace = sum_after(usual, linspace_grid(1000, 10)),
               trailing = sum_after(usual, trailing_grid(1000, 13));
  CHECK_THAT(linspace, as_printed("169.464039980"));
  CHECK_THAT(trailing, as_printed("175.936272530"));
  // The steps go from one index of the list to the next. Where they have no common stride, code that takes one is off.
  const double linspace_by_stride = sum_by_stride(usual, linspace_indices(1000, 10)),
               trailing_by_stride = sum_by_stride(usual, trailing_indices(1000, 13));
  CHECK_THAT(linspace_by_stride, as_printed("191.2538"));
  CHECK_THAT(trailing_by_stride, as_printed("179.7376"));
  CHECK(linspace < linspace_by_stride - 20);
  CHECK(trailing < trailing_by_stride - 3);
  // Where they have one, nothing can tell.
  CHECK_THAT(sum_by_stride(usual, leading_indices(1000, 10)), as_printed("172.006522168"));
}

TEST_CASE("DDIM on a chain whose first beta is .01 gives the reference sums with either end", "[sampler]") {
  const chain steep{scaling{}, linear_beta{1000, 0.01}};
  CHECK_THAT(sum_after(steep, leading_grid(1000, 10)), as_printed("149.829459540"));
  // With abar of index 0 in the place of 1 at the end, the last step does nothing: a grid that ends at that index.
  std::vector<double> times;
  for (const std::size_t index : leading_indices(1000, 10)) times.push_back((static_cast<double>(index) + 1) / 1000);
  CHECK_THAT(sum_after(steep, time_grid{times}), as_printed("149.078429950"));
}

TEST_CASE("DDIM of a network that predicts v is the loop written out", "[sampler]") {
  // Times 1 - i / N, none of them 0; x_0 = a x - sigma v and eps = sigma x + a v; eta = 1; the last step returns x_0.
  const corruption corruption{scaling{}, cosine{}};
  const shape image{1, 1, 2, 2};
  scripted_network network{image};
  network.initialize(0);
  const velocity_denoiser denoiser{network, corruption};
  constexpr std::size_t steps = 5;
  given_noise_backend be;
  be.noise = {0.3, -1.2, 0.8, 0.1};
  const std::vector<double> start{0.9, -0.2, 1.4, -0.7};
  start_point<given_noise_backend, double> from{be.make<double>(image), be.make<double>(image), {0, 1}};
  std::copy(start.begin(), start.end(), &from.x.view()[0]);
  const auto end = integrate(be, ddim{1.0}, corruption, denoiser, uniform_grid(steps), std::move(from), 0);

  std::vector<double> x = start;
  for (std::size_t i = 0; i < steps; ++i) {
    const double t = 1.0 - static_cast<double>(i) / steps, s = 1.0 - static_cast<double>(i + 1) / steps;
    const diffusion_time now{t}, next{std::max(0.0, s)};
    const double a = corruption.signal_gain(now), sigma = corruption.sigma(now);
    const double b = corruption.signal_gain(next), tau = corruption.sigma(next);
    const double k = tau / sigma * std::sqrt(1.0 - a * a / (b * b));
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double v = 0.5 * x[j] + 0.25 * t - 0.125 * x[j] * x[j];
      const double clean = a * x[j] - sigma * v, eps = sigma * x[j] + a * v;
      // tau^2 - k^2 = (tau^2 a / (b sigma))^2, which at t = 1 is far below the rounding of k^2.
      x[j] = i + 1 == steps ? clean : b * clean + tau * tau * a / (b * sigma) * eps + k * be.noise[j];
    }
  }
  // Five steps of a dozen operations on numbers of size 1.
  for (std::size_t j = 0; j < x.size(); ++j) CHECK_THAT(end.x.view()[j], Catch::Matchers::WithinAbs(x[j], 1e-13));
}

// DDIMScheduler of diffusers with clip_sample and without use_clipped_model_output (Song, Meng and Ermon 2021).
TEST_CASE("DDIM that clips keeps the noise that the network predicted", "[sampler]") {
  const corruption corruption{scaling{}, cosine{}};
  const shape image{1, 1, 2, 2};
  scripted_network network{image};
  network.initialize(0);
  const velocity_denoiser denoiser{network, corruption};
  constexpr std::size_t steps = 5;
  const std::vector<double> start{1.9, -0.2, 2.4, -1.7};
  const auto run = [&](auto sampler, const auto& of, double until = 0.0) {
    given_noise_backend be;
    be.noise = {0.3, -1.2, 0.8, 0.1};
    start_point<given_noise_backend, double> from{be.make<double>(image), be.make<double>(image), {0, 1}};
    std::copy(start.begin(), start.end(), &from.x.view()[0]);
    auto end = integrate(be, sampler, corruption, of, uniform_grid(steps, 1.0, until), std::move(from), 0);
    return std::vector<double>(&end.x.view()[0], &end.x.view()[0] + 4);
  };
  const double eta = 0.5, low = -0.4, high = 0.3;
  const auto got = run(clipped_ddim{eta, {low, high}}, denoiser);
  std::vector<double> x = start;
  const std::vector<double> z{0.3, -1.2, 0.8, 0.1};
  bool cut = false;
  for (std::size_t i = 0; i < steps; ++i) {
    const diffusion_time now{1.0 - static_cast<double>(i) / steps}, next{1.0 - static_cast<double>(i + 1) / steps};
    const bool last = i + 1 == steps;
    const double a = corruption.signal_gain(now), sigma = corruption.sigma(now);
    const double b = last ? 1.0 : corruption.signal_gain(next), tau = last ? 0.0 : corruption.sigma(next);
    const double k = eta * tau / sigma * std::sqrt(1.0 - a * a / (b * b));
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double v = 0.5 * x[j] + 0.25 * now.value - 0.125 * x[j] * x[j];
      const double clean = a * x[j] - sigma * v, eps = sigma * x[j] + a * v, clipped = std::clamp(clean, low, high);
      cut = cut || clipped != clean;
      x[j] = b * clipped + std::sqrt(tau * tau - k * k) * eps + k * z[j];
    }
  }
  CHECK(cut);
  // Five steps of a dozen operations on numbers of size 1.
  for (std::size_t j = 0; j < x.size(); ++j) CHECK_THAT(got[j], Catch::Matchers::WithinAbs(x[j], 1e-13));
  // The other convention differs, and a range that holds every estimate changes nothing.
  const auto other = run(ddim{eta}, static_thresholding{denoiser, {low, high}}, 0.4),
             kept = run(clipped_ddim{eta, {low, high}}, denoiser, 0.4);
  CHECK(std::abs(other[0] - kept[0]) > 1e-2);
  const auto wide = run(clipped_ddim{eta, {-100.0, 100.0}}, denoiser), plain = run(ddim{eta}, denoiser);
  for (std::size_t j = 0; j < x.size(); ++j) CHECK_THAT(wide[j], Catch::Matchers::WithinAbs(plain[j], 1e-13));
}
