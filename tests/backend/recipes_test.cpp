// Every recipe and every way to write an operator where the host cannot reach the arrays, with the serial backend's
// bits; networks in batches and on threads of any number; and steps that take nothing from the heap.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <oneapi/tbb/global_control.h>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
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
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/probability_flow.hpp>
#include <softscore/train/trainer.hpp>

#include "device_under_test.hpp"
#include "opaque_backend.hpp"
#include "random_batch.hpp"
#include "steady_denoiser.hpp"
#if !defined(__CUDACC__)
#include "heap.hpp"
#endif

using namespace softscore;

namespace {
struct turned {};   // made with on_host
struct dragged {};  // made with gathered
}  // namespace

// (1 - w) x + w times x turned upside down, on the host; its own transpose.
template <>
struct softscore::degradation<turned> : softscore::on_host<softscore::degradation<turned>> {
  template <class T>
  static void apply_image(const turned&, level w, const shape&, std::span<const T> in, std::span<T> out) {
    for (std::size_t i = 0; i < in.size(); ++i)
      out[i] = static_cast<T>(1 - w.value) * in[i] + static_cast<T>(w.value) * in[in.size() - 1 - i];
  }
  template <class T>
  static void transpose_image(const turned& op, level w, const shape& s, std::span<const T> in, std::span<T> out) {
    apply_image(op, w, s, in, out);
  }
};
template <>
struct softscore::degradation<dragged> : softscore::gathered<softscore::degradation<dragged>> {
  template <class T>
  SOFTSCORE_HD static T apply_pixel(const dragged&, level w, const shape& s, pixel p, const T* image) {
    const std::size_t at = p.offset(s);
    return static_cast<T>(1 - w.value) * image[at] + (p.row > 0 ? static_cast<T>(w.value) * image[at - s.width] : T{});
  }
  template <class T>
  SOFTSCORE_HD static T adjoint_pixel(const dragged&, level w, const shape& s, pixel p, const T* image) {
    const std::size_t at = p.offset(s);
    return static_cast<T>(1 - w.value) * image[at] +
           (p.row + 1 < s.height ? static_cast<T>(w.value) * image[at + s.width] : T{});
  }
};

namespace {

const shape image{1, 1, 8, 6};

// Calls check(sampler, corruption) for every way to write an operator and kind of corruption; samplers_test.cpp and its
// neighbors have all samplers.
template <class Check>
void for_every_pair(const Check& check) {
  const corruption blurring{gaussian_blur{.half_width = 6}, two_stage{.level_max = 3.0}};
  const corruption chain{scaling{}, linear_beta{}};
  check(ddpm{}, chain);
  check(ddpm{ancestral_variance::fixed_small}, chain);
  check(ddim{0.5}, chain);
  check(ddim{0.5}, blurring);
  check(soft_ddim{0.03}, blurring);
  check(naive{}, corruption{centered_mask{}, two_stage{.level_min = 0, .level_max = 8, .levels = spacing::linear}});
  check(momentum{}, blurring);
  check(momentum{}, corruption{turned{}, two_stage{.level_max = 1.0}});
  check(momentum{}, corruption{dragged{}, two_stage{.level_max = 1.0}});
  check(probability_flow{}, corruption{fade{}, two_stage{.level_max = 1.0}});
  check(heun{}, blurring);
  check(cold{}, background_corruption{eraser{8, 6, 20}, severity{20.0}});
  check(cold{}, blurring);
}

template <class Be, class S, class C, class D>
std::vector<float> draw(Be& be, const S& sampler, const C& corruption, const D& denoiser, const time_grid& grid,
                        shape of, image_range images) {
  const auto end =
      integrate(be, sampler, corruption, denoiser, grid, draw_start<float>(be, corruption, grid, of, images, 3), 3);
  return values_of(be, end.x.view());
}

// The four recipes of the program `digits`, small. check(name, corruption, denoiser maker, objective, sampler).
template <class Check>
void for_every_recipe(const shape& of, const std::vector<std::size_t>& widths, const Check& check) {
  const auto network = [&] { return plain_cnn{widths, of}; };
  const corruption chain{scaling{}, linear_beta{}};
  check("ddpm", chain, epsilon_denoiser{network(), chain}, epsilon_loss{}, ddpm{});
  check("eraser", background_corruption{eraser{of.height, of.width, 20}, severity{20.0}}, clean_denoiser{network()},
        cold_loss{}, cold{});
  check("eraser, l1", background_corruption{eraser{of.height, of.width, 20}, severity{20.0}}, clean_denoiser{network()},
        cold_loss{restoration_norm::l1}, cold{});
  const corruption blurring{gaussian_blur{.half_width = of.width}, two_stage{.level_max = 4.0}};
  check("blur", blurring, residual_denoiser{network()}, soft_score_matching_loss{}, momentum{});
  const corruption masking{
      centered_mask{},
      two_stage{.level_min = 0, .level_max = static_cast<double>(of.height), .levels = spacing::linear}};
  check("mask", masking, residual_denoiser{network()}, soft_score_matching_loss{}, naive{});
  check("mask, naive objective", masking, residual_denoiser{network()}, naive_loss{}, naive{});
}

// What three steps of training leave: the parameters, their average, and the losses.
template <class Be, class C, class D, class O>
std::vector<float> trained(Be& be, const C& corruption, D denoiser, const O& objective) {
  serial_backend host;
  const auto images = random_batch<float>(host, denoiser.image().with_images(24), 5);
  training_options options;
  options.epochs = 3;
  options.batch_size = 20;
  options.seed = 7;
  options.ema_decay = 0.9;
  options.max_grad_norm = 1.0;
  options.warmup_steps = 2;
  trainer<Be, C, D, O> work{be, corruption, denoiser, objective, images.view(), options};
  for (int i = 0; i < 3; ++i) work.step();
  const training_state state = work.state();
  std::vector<float> all = state.parameters;
  all.insert(all.end(), state.average.begin(), state.average.end());
  all.insert(all.end(), state.losses.begin(), state.losses.end());
  return all;
}

// Only the answer is printed: the lists are long.
bool same(const std::vector<float>& a, const std::vector<float>& b) { return a == b; }
bool all_finite(const std::vector<float>& a) {
  return !a.empty() && std::all_of(a.begin(), a.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace

TEST_CASE("every kind of corruption runs where the host cannot reach, with the serial bits", "[recipes]") {
  serial_backend serial;
  opaque_backend device;
  for_every_pair([&](const auto& sampler, const auto& corruption) {
    const auto here = draw(serial, sampler, corruption, steady_denoiser{}, uniform_grid(6), image, {5, 4});
    CHECK(all_finite(here));
    CHECK(same(draw(device, sampler, corruption, steady_denoiser{}, uniform_grid(6), image, {5, 4}), here));
  });
}

TEST_CASE("every recipe trains and samples where the host cannot reach, with the serial bits", "[recipes]") {
  serial_backend serial;
  opaque_backend device;
  for_every_recipe(
      image, {3, 2},
      [&](const std::string& name, const auto& corruption, auto denoiser, const auto& objective, const auto& sampler) {
        CAPTURE(name);
        const auto here = trained(serial, corruption, denoiser, objective);
        CHECK(all_finite(here));
        CHECK(same(trained(device, corruption, denoiser, objective), here));
        denoiser.network().initialize(1);
        const auto drawn_here = draw(serial, sampler, corruption, denoiser, uniform_grid(4), image, {0, 5});
        CHECK(all_finite(drawn_here));
        CHECK(same(draw(device, sampler, corruption, denoiser, uniform_grid(4), image, {0, 5}), drawn_here));
      });
}

namespace {

double root_mean_square_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += d * d;
  }
  return std::sqrt(sum / static_cast<double>(a.size()));
}

}  // namespace

TEST_CASE("every kind of corruption draws on a device what it draws on the host, but for roundings", "[recipes]") {
  serial_backend serial;
  device_under_test device;
  for_every_pair([&](const auto& sampler, const auto& corruption) {
    const auto here = draw(serial, sampler, corruption, steady_denoiser{}, uniform_grid(6), image, {5, 4});
    const auto there = draw(device, sampler, corruption, steady_denoiser{}, uniform_grid(6), image, {5, 4});
    // Six steps, each some tens of roundings of numbers of the size of the noise, 1 or less, which no step magnifies.
    CHECK(root_mean_square_difference(here, there) < 6 * 50 * 6e-8);
    CHECK(same(draw(device, sampler, corruption, steady_denoiser{}, uniform_grid(6), image, {5, 4}), there));
  });
}

TEST_CASE("every recipe trains and samples on a device as on the host, but for roundings", "[recipes]") {
  serial_backend serial;
  device_under_test device;
  for_every_recipe(
      image, {3, 2},
      [&](const std::string& name, const auto& corruption, auto denoiser, const auto& objective, const auto& sampler) {
        CAPTURE(name);
        const auto here = trained(serial, corruption, denoiser, objective);
        const auto there = trained(device, corruption, denoiser, objective);
        // Adam's first steps move every parameter by rate times the sign of its gradient, so where a gradient is near 0
        // one parameter may go its own way, by 2e-4 a step; few do.
        CHECK(root_mean_square_difference(here, there) < 2e-5);
        CHECK(same(trained(device, corruption, denoiser, objective), there));
        denoiser.network().initialize(1);
        const auto drawn_here = draw(serial, sampler, corruption, denoiser, uniform_grid(4), image, {0, 5});
        const auto drawn_there = draw(device, sampler, corruption, denoiser, uniform_grid(4), image, {0, 5});
        CHECK(root_mean_square_difference(drawn_here, drawn_there) < 4 * 200 * 6e-8);
      });
}

TEST_CASE("a step that is replayed as a graph leaves the bits of one whose kernels are launched one by one",
          "[recipes]") {
  auto replaying = device_with_graphs(64), few = device_with_graphs(2), launching = device_with_graphs(0);
  for_every_recipe(
      image, {3, 2},
      [&](const std::string& name, const auto& corruption, auto denoiser, const auto& objective, const auto& sampler) {
        CAPTURE(name);
        const auto steps = [&](auto& be) {
          auto all = trained(be, corruption, denoiser, objective);
          auto net = denoiser;
          net.network().initialize(1);
          const auto drawn = draw(be, sampler, corruption, net, uniform_grid(8), image, {0, 5});
          all.insert(all.end(), drawn.begin(), drawn.end());
          return all;
        };
        const std::size_t before = replaying.replays();
        const auto by_graphs = steps(replaying);
        CHECK(same(steps(launching), by_graphs));
        CHECK(same(steps(few), by_graphs));
        // At least the third training step, and the steps of the sampler from the third but for the last.
        CHECK(replaying.replays() >= before + 1 + 5);
      });
  CHECK(launching.replays() == 0);
}

#if !defined(__CUDACC__)
TEST_CASE("kernels leave the same bits whether their threads run forwards or backwards", "[recipes]") {
  emulated_backend forwards, backwards;
  backwards.device().backwards = true;
  for_every_recipe(
      {1, 1, 28, 28}, {4, 3},
      [&](const std::string& name, const auto& corruption, const auto& denoiser, const auto& objective,
          const auto& sampler) {
        CAPTURE(name);
        const auto here = trained(forwards, corruption, denoiser, objective);
        CHECK(all_finite(here));
        CHECK(same(trained(backwards, corruption, denoiser, objective), here));
        const auto drawn = draw(forwards, sampler, corruption, denoiser, uniform_grid(2), {1, 1, 28, 28}, {0, 2});
        CHECK(same(draw(backwards, sampler, corruption, denoiser, uniform_grid(2), {1, 1, 28, 28}, {0, 2}), drawn));
      });
  for_every_pair([&](const auto& sampler, const auto& corruption) {
    const auto drawn = draw(forwards, sampler, corruption, steady_denoiser{}, uniform_grid(6), image, {5, 4});
    CHECK(same(draw(backwards, sampler, corruption, steady_denoiser{}, uniform_grid(6), image, {5, 4}), drawn));
  });
}
#endif

#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors
TEST_CASE("every recipe trains to the same bits on 1, 2 and 3 threads", "[recipes]") {
  // Three threads even where there are two processors.
  const oneapi::tbb::global_control three_threads{oneapi::tbb::global_control::max_allowed_parallelism, 3};
  tbb_backend one{1}, two{2}, three{3};
  for_every_recipe(
      {1, 1, 28, 28}, {16, 8},
      [&](const std::string& name, const auto& corruption, const auto& denoiser, const auto& objective, const auto&) {
        CAPTURE(name);
        const auto first = trained(one, corruption, denoiser, objective);
        CHECK(all_finite(first));
        CHECK(same(trained(two, corruption, denoiser, objective), first));
        CHECK(same(trained(three, corruption, denoiser, objective), first));
      });
}

TEST_CASE("a network samples to the same bits in batches of 1, 7 and 64 and on 1, 2 and 3 threads", "[recipes]") {
  const oneapi::tbb::global_control three_threads{oneapi::tbb::global_control::max_allowed_parallelism, 3};
  const shape digit{1, 1, 28, 28};
  const corruption blurring{gaussian_blur{}, two_stage{}};
  residual_denoiser denoiser{plain_cnn{{16, 32, 16}, digit}};
  denoiser.network().initialize(1);
  const auto in_batches = [&](tbb_backend& be, std::size_t size, std::size_t images) {
    std::vector<float> all;
    for (std::size_t first = 0; first < images; first += size) {
      const auto part =
          draw(be, momentum{}, blurring, denoiser, uniform_grid(2), digit, {first, std::min(size, images - first)});
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  };
  tbb_backend one{1}, two{2}, three{3};
  const auto whole = in_batches(two, 64, 64);
  CHECK(all_finite(whole));
  CHECK(same(in_batches(two, 7, 64), whole));
  CHECK(same(in_batches(three, 64, 64), whole));
  CHECK(same(in_batches(one, 64, 64), whole));
  const std::vector<float> few(whole.begin(), whole.begin() + 9 * 784);
  CHECK(same(in_batches(two, 1, 9), few));
  CHECK(same(in_batches(three, 7, 9), few));
}

TEST_CASE("after the first, a training step takes nothing from the heap", "[recipes]") {
  const auto check_on = [](auto& be) {
    using Be = std::remove_reference_t<decltype(be)>;
    for_every_recipe(
        image, {16, 8},
        [&](const std::string& name, const auto& corruption, auto denoiser, const auto& objective, const auto&) {
          CAPTURE(name);
          using C = std::remove_cvref_t<decltype(corruption)>;
          using D = decltype(denoiser);
          using O = std::remove_cvref_t<decltype(objective)>;
          serial_backend host;
          const auto images = random_batch<float>(host, image.with_images(24), 5);
          training_options options;
          options.epochs = 9;
          options.batch_size = 20;
          options.ema_decay = 0.9;
          options.max_grad_norm = 1.0;
          trainer<Be, C, D, O> work{be, corruption, denoiser, objective, images.view(), options};
          work.step();
          CHECK(heap::allocations([&] {
                  for (int i = 0; i < 5; ++i) work.step();
                }) == 0);
        });
  };
  serial_backend serial;
  tbb_backend threads{2};
  check_on(serial);
  check_on(threads);
}

TEST_CASE("after the first, a sampling step with a network takes nothing from the heap", "[recipes]") {
  const auto check_on = [](auto& be) {
    for_every_recipe(
        image, {16, 8},
        [&](const std::string& name, const auto& corruption, auto denoiser, const auto&, const auto& sampler) {
          CAPTURE(name);
          denoiser.network().initialize(1);
          std::vector<std::size_t> taken;
          taken.reserve(16);
          const auto grid = uniform_grid(8);
          integrate(be, sampler, corruption, denoiser, grid, draw_start<float>(be, corruption, grid, image, {0, 9}, 1),
                    1, [&](const auto&) { taken.push_back(heap::taken.load()); });
          REQUIRE(taken.size() == 8);
          CHECK(taken.back() == taken[1]);
        });
  };
  serial_backend serial;
  tbb_backend threads{2};
  check_on(serial);
  check_on(threads);
}
#endif
