// What every sampler owes `integrate`: what it spends, its last step, the same bits in any batches and threads, no
// memory from step to step, one sentence for a grid that it cannot follow.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/fft_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/adams_bashforth.hpp>
#include <softscore/sampler/alternating.hpp>
#include <softscore/sampler/dormand_prince.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m_sde.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/euler.hpp>
#include <softscore/sampler/euler_maruyama.hpp>
#include <softscore/sampler/exponential_integrator.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/langevin.hpp>
#include <softscore/sampler/learned_ddpm.hpp>
#include <softscore/sampler/mala.hpp>
#include <softscore/sampler/midpoint.hpp>
#include <softscore/sampler/naive_cold.hpp>
#include <softscore/sampler/predictor_corrector.hpp>
#include <softscore/sampler/reverse_diffusion.hpp>
#include <softscore/sampler/rk4.hpp>
#include <softscore/sampler/unipc.hpp>

#include "class_network.hpp"
#include "heap.hpp"
#include "refusal.hpp"
#include "steady_denoiser.hpp"

using namespace softscore;

namespace {

const shape image{1, 2, 5, 4};

auto fading() { return corruption{fade{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0, .level_max = 1.0}}; }
auto preserving() { return corruption{scaling{}, variance_preserving{.rate_first = 0.5, .rate_last = 3.0}}; }
template <class Blur>
auto heating() {
  return corruption{Blur{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0, .level_max = 1.0}};
}
auto masking() {
  return corruption{centered_mask{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0, .level_max = 4.0}};
}
auto erasing() { return background_corruption{eraser{image.height, image.width, 20}, severity{20.0}}; }
double third(diffusion_time) { return 1.0 / 3; }

// The steady denoiser as one that knows a density: that of N(0, 1) in every element, up to its constant. Not the one
// whose score the estimate gives; it is for what MALA takes and for its bits.
struct steady_with_density : steady_denoiser {
  template <class Be, class T>
  void log_density(Be& be, const condition&, out_of<Be, T> x, double* host, nothing&) const {
    be.dot(x, x, host);
    for (std::size_t i = 0; i < x.extent().images; ++i) host[i] *= -0.5;
  }
};

// One that adds a number of the label to every estimate, and a number of the image beside x.
struct steady_with_classes : steady_with_density {
  std::size_t label_count() const { return 8; }
  template <class Be, class T, class Space>
  void estimate(Be& be, const condition& q, view<const T, Space> x, view<T, Space> out, nothing& none) const {
    steady_denoiser::estimate(be, q, x, out, none);
    add(q, out);
  }
  template <class Be, class T>
  void log_density(Be& be, const condition& q, out_of<Be, T> x, double* host, nothing& none) const {
    steady_with_density::log_density(be, q, x, host, none);
    for (std::size_t i = 0; i < q.given.labels.size(); ++i) host[i] += 1e-3 * q.given.labels[i];
  }

 private:
  template <class T>
  static void add(const condition& q, view<T, host_space> out) {
    for (std::size_t i = 0; i < q.given.labels.size(); ++i)
      for (T& pixel : out.image(i)) pixel += static_cast<T>(0.05 * q.given.labels[i]);
    if (q.given.image.empty()) return;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += static_cast<T>(q.given.image[i]);
  }
};

// Calls check(sampler, corruption, more), where a grid of N steps that ends above 0 takes N evaluations_per_step + more
// evaluations, for every sampler that integrate_test.cpp does not look at.
template <class Check>
void for_every_sampler(const Check& check) {
  check(euler{}, fading(), 0);
  check(midpoint{}, preserving(), 0);
  check(rk4{}, fading(), 0);
  check(adams_bashforth<1>{}, fading(), 0);
  check(adams_bashforth<2>{}, preserving(), 0);
  check(adams_bashforth<3>{}, fading(), 6);
  check(adams_bashforth<4>{}, preserving(), 9);
  check(euler_maruyama{}, fading(), 0);
  check(euler_maruyama{}, preserving(), 0);
  check(alternating{}, fading(), 0);
  check(dpm_solver<1>{}, preserving(), 0);
  check(dpm_solver<2>{}, preserving(), 0);
  check(dpm_solver<3>{}, preserving(), 0);
  check(dpm_solver_pp_2m{}, fading(), 0);
  check(dpm_solver_pp_2m{}, preserving(), 0);
  check(dpm_solver_pp_2m_sde{}, fading(), 0);
  check(dpm_solver_pp_3m{}, preserving(), 1);
  check(dpm_solver_pp_3m_sde{}, preserving(), 0);
  check(dpm_solver_pp_3m_sde{0.0}, preserving(), 0);
  check(unipc<1>{}, preserving(), 0);
  check(unipc<2>{}, preserving(), 0);
  check(unipc<3>{}, preserving(), 2);
  check(unipc<3, false>{}, preserving(), 2);
  check(exponential_integrator<1>{}, fading(), 0);
  check(exponential_integrator<2>{}, heating<dct_blur>(), 0);
  check(exponential_integrator<2>{}, heating<fft_blur>(), 0);
  check(exponential_integrator<2>{}, masking(), 0);
  check(exponential_integrator<3>{}, heating<dct_blur>(), 1);
  check(edm_heun{}, preserving(), 0);
  check(reverse_diffusion{}, preserving(), 0);
  check(learned_ddpm{third}, preserving(), 0);
  check(predictor_corrector<>{}, fading(), 0);
  check(predictor_corrector<reverse_diffusion, fixed_length, 2>{reverse_diffusion{}, fixed_length{1e-3}}, preserving(),
        0);
  check(annealed_langevin<3>{}, fading(), 0);
  check(ula{1e-3}, fading(), 0);
  check(mala{0.05}, fading(), 0);
  check(naive_cold{}, erasing(), 0);
}

template <class T, class S, class C, class Observer = no_observer>
integrate_result<serial_backend, T> draw(const S& sampler, const C& corruption, const time_grid& grid,
                                         image_range images, Observer&& observer = {}) {
  serial_backend be;
  return integrate(be, sampler, corruption, steady_with_density{}, grid,
                   draw_start<T>(be, corruption, grid, image, images, 3), 3, observer);
}

template <class T>
std::vector<T> values_of(const integrate_result<serial_backend, T>& result) {
  const auto x = result.x.view();
  std::vector<T> values(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) values[i] = x[i];
  return values;
}

// Only the answer is printed: the lists are long.
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return a == b;
}

}  // namespace

TEST_CASE("a run spends what its sampler and its start say", "[sampler]") {
  for_every_sampler([](const auto& sampler, const auto& corruption, std::size_t more) {
    const auto each = static_cast<std::size_t>(sampler.evaluations_per_step);
    CHECK(draw<float>(sampler, corruption, uniform_grid(9, 1.0, 0.1), {0, 2}).nfe == 9 * each + more);
    // The last step to time 0 takes `integrate`'s evaluation alone.
    CHECK(draw<float>(sampler, corruption, uniform_grid(9), {0, 2}).nfe == 8 * each + 1 + more);
  });
  // With churn the estimate is made anew, but at time 1 there is nowhere to go.
  CHECK(draw<float>(edm_heun{3.0}, preserving(), uniform_grid(9, 1.0, 0.1), {0, 2}).nfe == 2 + 8 * 3);
}

TEST_CASE("the last step of every sampler returns the estimate", "[sampler]") {
  const auto check = [](const auto& sampler, const auto& corruption, std::size_t) {
    std::vector<double> estimate;
    const auto result = draw<double>(sampler, corruption, uniform_grid(4), {0, 2}, [&](const auto& seen) {
      if (!seen.at.last()) return;
      for (std::size_t i = 0; i < seen.h.size(); ++i) estimate.push_back(seen.h[i]);
    });
    CHECK(same(values_of(result), estimate));
  };
  for_every_sampler(check);
  check(dormand_prince{}, fading(), 0);
  check(edm_heun{3.0}, preserving(), 0);
}

TEST_CASE("every sampler gives the same bits in batches of 1, 7 and 64, and on four threads at once", "[sampler]") {
  const auto check = [](const auto& sampler, const auto& corruption, std::size_t) {
    const auto grid = uniform_grid(6, 1.0, 0.1);
    const auto part = [&](std::size_t first, std::size_t count) {
      return values_of(draw<float>(sampler, corruption, grid, {first, count}));
    };
    const auto in_batches = [&](std::size_t size) {
      std::vector<float> all;
      for (std::size_t first = 0; first < 64; first += size) {
        const auto some = part(first, std::min<std::size_t>(size, 64 - first));
        all.insert(all.end(), some.begin(), some.end());
      }
      return all;
    };
    const auto all = in_batches(64);
    CHECK(std::all_of(all.begin(), all.end(), [](float a) { return std::isfinite(a); }));
    CHECK(same(in_batches(1), all));
    CHECK(same(in_batches(7), all));
    // One const sampler, four threads, a quarter of the images each.
    std::vector<std::vector<float>> quarters(4);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 4; ++i) threads.emplace_back([&, i] { quarters[i] = part(16 * i, 16); });
    for (auto& each : threads) each.join();
    std::vector<float> together;
    for (const auto& each : quarters) together.insert(together.end(), each.begin(), each.end());
    CHECK(same(together, all));
  };
  for_every_sampler(check);
  check(dormand_prince{1e-5, 1e-5}, fading(), 0);
  check(dormand_prince{1e-5, 1e-5}, preserving(), 0);
  check(edm_heun{3.0}, preserving(), 0);
}

TEST_CASE("every sampler gives each image its own label and its own image beside x, in any batches", "[sampler]") {
  const std::vector<class_label> labels{3, 0, 7, no_class, 5};
  std::vector<float> beside(5 * image.per_image());
  for (std::size_t i = 0; i < beside.size(); ++i) beside[i] = 0.01f * static_cast<float>(i % 11);
  const conditioning all{labels, {beside.data(), image.with_images(5)}, {}};
  const auto check = [&](const auto& sampler, const auto& corruption, std::size_t) {
    serial_backend be;
    const auto grid = uniform_grid(6, 1.0, 0.1);
    const auto part = [&](std::size_t first, std::size_t count, const conditioning& given) {
      return values_of(integrate(be, sampler, corruption, steady_with_classes{}, grid,
                                 draw_start<float>(be, corruption, grid, image, {first, count}, 3, given), 3));
    };
    const auto whole = part(0, 5, all);
    std::vector<float> split = part(0, 2, all.images(0, 2)), rest = part(2, 3, all.images(2, 3));
    split.insert(split.end(), rest.begin(), rest.end());
    CHECK(same(split, whole));
    // Each image is that of a run in which all images are known as it is.
    for (std::size_t i = 0; i < 5; ++i) {
      const auto one = part(i, 1, all.images(i, 1));
      CHECK(std::equal(one.begin(), one.end(), whole.begin() + static_cast<std::ptrdiff_t>(i * image.per_image())));
    }
    // And both count.
    CHECK_FALSE(same(part(0, 5, {all.labels, {}, {}}), whole));
    CHECK_FALSE(same(part(0, 5, {{}, all.image, {}}), whole));
  };
  for_every_sampler(check);
  check(dormand_prince{1e-5, 1e-5}, fading(), 0);
  check(edm_heun{3.0}, preserving(), 0);
}

TEST_CASE("no step of any sampler after its start takes memory from the heap", "[sampler]") {
  const auto check = [](const auto& sampler, const auto& corruption, std::size_t) {
    std::vector<std::size_t> taken;
    taken.reserve(16);
    draw<float>(sampler, corruption, uniform_grid(12), {0, 9},
                [&](const auto&) { taken.push_back(heap::taken.load()); });
    REQUIRE(taken.size() == 12);
    // Observed before every step. The methods of highest order take their start of three steps first.
    CHECK(taken.back() == taken[4]);
  };
  for_every_sampler(check);
  check(dormand_prince{1e-5, 1e-5}, fading(), 0);
  check(edm_heun{3.0}, preserving(), 0);
}

TEST_CASE("no step of a guided network with labels takes memory from the heap", "[sampler]") {
  serial_backend be;
  const shape one{1, 1, 4, 5};
  const epsilon_denoiser network{class_network{{-1.0f, 1.0f}, 0.2, one}, preserving()};
  const std::vector<class_label> labels{1, 0, no_class};
  const std::vector<float> beside(3 * one.per_image(), 0.1f);
  const conditioning given{labels, {beside.data(), one.with_images(3)}, {}};
  const auto check = [&](const auto& denoiser, const auto& sampler) {
    std::vector<std::size_t> taken;
    taken.reserve(16);
    const auto grid = uniform_grid(12);
    integrate(be, sampler, preserving(), denoiser, grid,
              draw_start<float>(be, preserving(), grid, one, {0, 3}, 3, given), 3,
              [&](const auto&) { taken.push_back(heap::taken.load()); });
    REQUIRE(taken.size() == 12);
    CHECK(taken.back() == taken[4]);
  };
  check(network, euler{});
  check(classifier_free{network, 2.0}, euler{});
  check(classifier_free{static_thresholding{network}, 2.0}, dpm_solver_pp_2m{});
  check(classifier_free{network, network, 2.0}, rk4{});
}

TEST_CASE("a grid of fewer steps than a method needs is refused", "[sampler]") {
  const auto steps = [](const auto& sampler, std::size_t count) {
    return draw<float>(sampler, preserving(), uniform_grid(count), {0, 1});
  };
  CHECK_REFUSED(steps(adams_bashforth<4>{}, 3), "number of steps is 3, but it must be at least 4 for this sampler");
  CHECK_REFUSED(steps(dpm_solver_pp_3m{}, 2), "number of steps is 2, but it must be at least 3 for this sampler");
  CHECK_REFUSED(steps(unipc<3>{}, 1), "number of steps is 1, but it must be at least 3 for this sampler");
  CHECK_REFUSED(steps(dormand_prince{}, 1), "number of steps is 1, but it must be at least 2 for dormand_prince");
  CHECK(draw<float>(dormand_prince{}, preserving(), uniform_grid(1, 1.0, 0.1), {0, 1}).nfe > 6);
  CHECK(steps(adams_bashforth<4>{}, 4).nfe > 4);
}
