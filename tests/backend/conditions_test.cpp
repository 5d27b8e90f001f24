// Conditions and guidance on every backend: a network with classes draws the same on each, and the same bits in any
// batches and on any number of threads.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/in_precision.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/measurement.hpp>
#include <softscore/operator/observation.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/dormand_prince.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dps.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/exponential_integrator.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/predictor_corrector.hpp>
#include <softscore/sampler/sample_into.hpp>
#include <softscore/sampler/unipc.hpp>

#include "class_network.hpp"
#include "device_under_test.hpp"
#include "opaque_backend.hpp"
#include "random_batch.hpp"
#include "worse.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {

const corruption<scaling, variance_preserving> noise{scaling{}, variance_preserving{}};
const class_network network{{-0.8f, 0.1f, 0.9f}, 0.05, {1, 2, 3, 4}};
const epsilon_denoiser denoiser{network, noise};
const std::vector<class_label> labels{2, 0, no_class, 1, 2, 0, 1};

template <class Be, class S, class D>
std::vector<float> drawn(Be be, const S& sampler, const D& of, std::size_t batch, std::vector<class_label> known) {
  std::vector<float> pixels(known.size() * of.image().per_image());
  sample(be, sampler, noise, of, uniform_grid(12), std::span{pixels},
         {.images = known.size(), .seed = 5, .batch_size = batch, .labels = known});
  return pixels;
}

// Between images with a label. Without one, the path may fork between two means, where a rounding decides.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (labels[i / 24] == no_class) continue;
    most = worse(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return most;
}

// One of each family of samplers.
template <class Check>
void for_every_family(const Check& check) {
  check("ddpm", ddpm{});
  check("ddim", ddim{});
  check("heun", heun{});
  check("dormand_prince", dormand_prince{1e-4, 1e-4});
  check("edm_heun", edm_heun{});
  check("dpm_solver_pp_2m", dpm_solver_pp_2m{});
  check("unipc", unipc<2>{});
  check("exponential_integrator", exponential_integrator<2>{});
  check("predictor_corrector", predictor_corrector<>{});
  // Guided a little by a measurement of 0 everywhere.
  const observation zero{network.image(), std::vector<double>(24)};
  check("dps", dps{measurement{identity{}, level{0.0}, 0.3}, zero, 0.01});
}

}  // namespace

TEST_CASE("labels reach the network under every family of samplers, on every backend", "[conditions]") {
  for_every_family([](const std::string& name, const auto& sampler) {
    CAPTURE(name);
    const auto here = drawn(serial_backend{}, sampler, denoiser, 7, labels);
    // A pixel of class k is N(mean k, .05^2), and means are .8 apart and more. Twelve steps leave each nearest its own.
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] == no_class) continue;
      const double own = static_cast<double>(network.parameters()[static_cast<std::size_t>(labels[i])]);
      for (std::size_t k = 0; k < 24; ++k) CHECK_THAT(here[24 * i + k], WithinAbs(own, 0.4));
    }
    CHECK(drawn(serial_backend{}, sampler, denoiser, 3, labels) == here);
    CHECK(drawn(opaque_backend{}, sampler, denoiser, 7, labels) == here);
    // The network computes in double and rounds once; each of 12 steps rounds at most 50 numbers, of size 1 / a < 160.
    const auto there = drawn(device_under_test{}, sampler, denoiser, 7, labels);
    if (name != "dormand_prince") CHECK(distance(here, there) < 12 * 50 * 160 * 6e-8);
    CHECK(drawn(device_under_test{}, sampler, denoiser, 2, labels) == there);
#if !defined(__CUDACC__)
    const auto threaded = drawn(tbb_backend{2}, sampler, denoiser, 7, labels);
    if (name != "dormand_prince") CHECK(distance(here, threaded) < 12 * 50 * 160 * 6e-8);
    for (const std::size_t threads : {1u, 3u})
      CHECK(drawn(tbb_backend{threads}, sampler, denoiser, 2, labels) == threaded);
#endif
  });
}

TEST_CASE("guidance by one network is that by two on every backend, to the bit", "[conditions]") {
  const auto check = [](const auto& make) {
    for (const double scale : {0.0, 1.0, 2.0}) {
      const classifier_free one{denoiser, scale};
      const classifier_free two{denoiser, denoiser, scale};
      const auto all = drawn(make(), ddim{}, one, 7, labels);
      CHECK(drawn(make(), ddim{}, two, 7, labels) == all);
      CHECK(drawn(make(), ddim{}, one, 2, labels) == all);
      CHECK(std::all_of(all.begin(), all.end(), [](float pixel) { return std::isfinite(pixel); }));
      if (scale == 1.0) CHECK(drawn(make(), ddim{}, denoiser, 7, labels) == all);
      if (scale == 0.0)
        CHECK(drawn(make(), ddim{}, denoiser, 7, std::vector<class_label>(labels.size(), no_class)) == all);
    }
  };
  check([] { return serial_backend{}; });
  check([] { return opaque_backend{}; });
  check([] { return device_under_test{}; });
#if !defined(__CUDACC__)
  check([] { return tbb_backend{2}; });
#endif
}

namespace {

// Guided pullback and estimate against numbers of the serial backend in double.
template <class Be>
void check_estimate(Be be) {
  const shape seven = network.image().with_images(7);
  const classifier_free guided{static_thresholding{denoiser, {-3.0, 3.0}}, 2.0};
  std::vector<diffusion_time> times;
  for (std::size_t i = 0; i < 7; ++i) times.push_back({0.1 + 0.1 * static_cast<double>(i)});
  std::vector<float> numbers(seven.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = 0.02f * static_cast<float>(i % 5);
  const condition q{{0, 7}, each_of(times), {labels, {numbers.data(), seven}, {}}};
  const auto answers = [&](auto& on, auto zero) {
    using value = decltype(zero);
    auto memory = guided.template workspace<value>(on, seven);
    auto x = random_batch<value>(on, seven, 1), v = random_batch<value>(on, seven, 2);
    auto h = on.template make<value>(seven), pulled = on.template make<value>(seven);
    guided.estimate(on, q, x.view(), h.view(), memory);
    guided.pullback(on, q, v.view(), pulled.view(), memory);
    auto all = values_of(on, h.view()), more = values_of(on, pulled.view());
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  serial_backend serial;
  const auto wanted = answers(serial, 0.0);
  const auto in_double = answers(be, 0.0);
  const auto in_float = answers(be, 0.0f);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    // With variance V of the means given x and v = a^2 .05^2 + sigma^2, at least .1 here, the slope is about V / v < 8
    // and its own slope about 8 / v < 80. A vector and an x of size 4 and scale 2 make it 80 * 4 * 4 * 2 roundings, of
    // 1.1e-16 in double and of 6e-8 in float.
    CHECK_THAT(in_double[i], WithinAbs(wanted[i], 2560 * 1.1e-16));
    CHECK_THAT(static_cast<double>(in_float[i]), WithinAbs(wanted[i], 2560 * 6e-8));
  }
}

}  // namespace

TEST_CASE("guided estimates and pullbacks are the serial ones on every backend", "[conditions]") {
  check_estimate(serial_backend{});
  check_estimate(opaque_backend{});
  check_estimate(device_under_test{});
#if !defined(__CUDACC__)
  check_estimate(tbb_backend{2});
#endif
}
