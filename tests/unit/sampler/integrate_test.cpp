// `integrate`: what it spends, what it refuses, and that its bits depend on nothing but seed and image.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <oneapi/tbb/global_control.h>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/probability_flow.hpp>
#include <softscore/sampler/sample.hpp>

#include "heap.hpp"
#include "refusal.hpp"
#include "steady_denoiser.hpp"

using namespace softscore;

namespace {

const shape image{1, 2, 5, 4};

corruption<gaussian_blur, two_stage> blurring() {
  return {gaussian_blur{.half_width = 6}, two_stage{.level_max = 3.0}};
}
corruption<scaling, linear_beta> chain() { return {scaling{}, linear_beta{}}; }
corruption<centered_mask, two_stage> masking() {
  return {centered_mask{}, two_stage{.level_min = 0.0, .level_max = 5.0, .levels = spacing::linear}};
}
background_corruption<eraser, severity> erasing() { return {eraser{image.height, image.width, 20}, severity{20.0}}; }

// Calls check(sampler, corruption) for every sampler with a corruption that it takes.
template <class Check>
void for_every_sampler(const Check& check) {
  check(ddpm{}, chain());
  check(ddim{}, chain());
  check(ddim{0.7}, blurring());
  check(soft_ddim{0.03}, blurring());
  check(naive{}, masking());
  check(momentum{}, blurring());
  check(momentum{}, masking());
  check(probability_flow{}, chain());
  check(heun{}, blurring());
  check(heun{}, chain());
  check(cold{}, erasing());
  check(cold{}, blurring());
}

template <class T, class Be, class S, class C, class Observer = no_observer>
integrate_result<Be, T> draw(Be& be, const S& sampler, const C& corruption, const time_grid& grid, image_range images,
                             Observer&& observer = {}) {
  return integrate(be, sampler, corruption, steady_denoiser{}, grid,
                   draw_start<T>(be, corruption, grid, image, images, 3), 3, observer);
}

template <class Be, class T, class Space>
auto values_of(Be& be, view<T, Space> v) {
  std::vector<std::remove_const_t<T>> host(v.size());
  be.download(v, host.data());
  return host;
}

}  // namespace

// The NFE of Karras et al. 2022.
TEST_CASE("a run spends what its sampler says", "[sampler]") {
  serial_backend be;
  for_every_sampler([&](const auto& sampler, const auto& corruption) {
    using S = std::remove_cvref_t<decltype(sampler)>;
    // One evaluation less in the last step of a method that takes two: it returns h there.
    const std::size_t last = S::evaluations_per_step == 2 ? 1 : 0;
    for (const std::size_t steps : {1u, 2u, 9u}) {
      CHECK(draw<float>(be, sampler, corruption, uniform_grid(steps), {0, 2}).nfe ==
            steps * static_cast<std::size_t>(S::evaluations_per_step) - last);
      CHECK(draw<float>(be, sampler, corruption, uniform_grid(steps, 1.0, 0.1), {0, 2}).nfe ==
            steps * static_cast<std::size_t>(S::evaluations_per_step));
    }
  });
}

// docs/decisions/0006.
TEST_CASE("the last step returns the estimate", "[sampler]") {
  serial_backend be;
  for_every_sampler([&](const auto& sampler, const auto& corruption) {
    std::vector<double> estimate;
    const auto result = draw<double>(be, sampler, corruption, uniform_grid(4), {0, 2}, [&](const auto& seen) {
      if (seen.at.last()) estimate = values_of(be, seen.h);
    });
    REQUIRE(estimate.size() == 2 * image.size());
    CHECK((values_of(be, result.x.view()) == estimate));
  });
}

TEST_CASE("an observer sees every step and may stop the run", "[sampler]") {
  serial_backend be;
  const auto grid = uniform_grid(6);
  std::vector<std::size_t> steps, spent;
  std::vector<double> before;
  const auto whole = draw<double>(be, heun{}, blurring(), grid, {0, 2}, [&](const auto& seen) {
    steps.push_back(seen.at.index);
    spent.push_back(seen.nfe);
    CHECK(seen.at.count == 6);
    CHECK(seen.at.t == grid[seen.at.index].t);
    CHECK(seen.at.s == grid[seen.at.index].s);
    if (seen.at.index == 3) before = values_of(be, seen.x);
  });
  CHECK(steps == std::vector<std::size_t>{0, 1, 2, 3, 4, 5});
  CHECK(spent == std::vector<std::size_t>{1, 3, 5, 7, 9, 11});
  CHECK_FALSE(whole.stopped);

  std::size_t calls = 0;
  const auto part =
      draw<double>(be, heun{}, blurring(), grid, {0, 2}, [&](const auto& seen) { return ++calls, seen.at.index < 3; });
  CHECK(part.stopped);
  CHECK(calls == 4);
  CHECK(part.nfe == 7);
  CHECK(values_of(be, part.x.view()) == before);
}

TEST_CASE("an observer learns where its batch stands among all images", "[sampler]") {
  serial_backend be;
  std::vector<std::size_t> done;
  const auto note = [&](const auto& seen) {
    CHECK(seen.images == 7);
    if (seen.at.index == 0) done.push_back(seen.done);
    return seen.done + seen.x.extent().images < 7;
  };
  const auto drawn = sample(be, momentum{}, blurring(), steady_denoiser{}, uniform_grid(2),
                            {.images = 7, .seed = 3, .batch_size = 3, .image = image}, note);
  CHECK(done == std::vector<std::size_t>{0, 3, 6});
  CHECK(drawn.stopped);
}

TEST_CASE("noise that rises as time falls is refused before the first step", "[sampler]") {
  struct rising {
    level level_at(diffusion_time) const { return level{0.0}; }
    double sigma_at(diffusion_time t) const { return t.value == 0.5 ? 2.0 : 1.0; }
  };
  struct undefined {
    level level_at(diffusion_time) const { return level{0.0}; }
    double sigma_at(diffusion_time t) const { return t.value == 1.0 ? 1.0 : std::numeric_limits<double>::quiet_NaN(); }
  };
  serial_backend be;
  std::size_t seen = 0;
  const auto count = [&](const auto&) { ++seen; };
  const std::string rule = ", but it must be between 0 and the sigma of the time after it";
  CHECK_REFUSED(draw<float>(be, momentum{}, corruption{gaussian_blur{}, rising{}}, uniform_grid(4), {0, 1}, count),
                "sigma at an earlier time of the grid is 2" + rule);
  CHECK_REFUSED(draw<float>(be, momentum{}, corruption{gaussian_blur{}, undefined{}}, uniform_grid(4), {0, 1}, count),
                "sigma at an earlier time of the grid is nan" + rule);
  CHECK(seen == 0);
}

TEST_CASE("a start point must hold as many images as it says", "[sampler]") {
  serial_backend be;
  const auto grid = uniform_grid(2);
  auto from = draw_start<float>(be, blurring(), grid, image, {0, 3}, 1);
  from.images.count = 2;
  CHECK_REFUSED(integrate(be, momentum{}, blurring(), steady_denoiser{}, grid, std::move(from), 1),
                "images of the start point is 2, but it must be the images in its x and its xi");
}

TEST_CASE("the same bits in batches of 1, 7 and 64, and on 1, 2 and 3 threads", "[sampler]") {
  // Three threads even where there are two processors.
  const oneapi::tbb::global_control three_threads{oneapi::tbb::global_control::max_allowed_parallelism, 3};
  const auto grid = uniform_grid(5);
  const auto in_batches = [&](auto& be, const auto& sampler, const auto& corruption, std::size_t size) {
    std::vector<float> all;
    for (std::size_t first = 0; first < 64; first += size) {
      const std::size_t count = std::min<std::size_t>(size, 64 - first);
      const auto part = draw<float>(be, sampler, corruption, grid, {first, count});
      const auto view = part.x.view();
      for (std::size_t i = 0; i < view.size(); ++i) all.push_back(view[i]);
    }
    return all;
  };
  // Only the answer is printed: the lists are long.
  const auto same = [](const std::vector<float>& a, const std::vector<float>& b) { return a == b; };
  serial_backend serial;
  tbb_backend one{1}, two{2}, three{3};
  for_every_sampler([&](const auto& sampler, const auto& corruption) {
    const auto all = in_batches(serial, sampler, corruption, 64);
    CHECK(all.size() == 64 * image.size());
    CHECK(std::all_of(all.begin(), all.end(), [](float a) { return std::isfinite(a); }));
    CHECK(same(in_batches(serial, sampler, corruption, 1), all));
    CHECK(same(in_batches(serial, sampler, corruption, 7), all));
    const auto threaded = in_batches(two, sampler, corruption, 64);
    CHECK(same(in_batches(two, sampler, corruption, 1), threaded));
    CHECK(same(in_batches(two, sampler, corruption, 7), threaded));
    CHECK(same(in_batches(one, sampler, corruption, 64), threaded));
    CHECK(same(in_batches(three, sampler, corruption, 64), threaded));
    CHECK(same(in_batches(three, sampler, corruption, 7), threaded));
    // The tbb backend sums a blur in its own order; all else has one order.
    if constexpr (!std::same_as<std::remove_cvref_t<decltype(corruption.linear_operator())>, gaussian_blur>)
      CHECK(same(threaded, all));
  });
}

TEST_CASE("one const sampler serves four threads with the same bits as one by one", "[sampler]") {
  const auto check = [](const auto& sampler, const auto& corruption) {
    const auto grid = uniform_grid(5);
    const auto part = [&](std::size_t first, std::size_t count) {
      serial_backend be;
      return values_of(be, draw<float>(be, sampler, corruption, grid, {first, count}).x.view());
    };
    std::vector<std::vector<float>> quarters(4);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 4; ++i) threads.emplace_back([&, i] { quarters[i] = part(16 * i, 16); });
    for (auto& each : threads) each.join();
    for (std::size_t i = 0; i < 4; ++i) {
      // Only the answer is printed: the lists are long.
      const bool same = quarters[i] == part(16 * i, 16);
      CHECK(same);
    }
  };
  for_every_sampler(check);
  check(soft_ddim{}, blurring());
  check(naive{}, blurring());
  check(ddim{1.0}, chain());
}

TEST_CASE("another seed and another image give other pictures", "[sampler]") {
  serial_backend be;
  const auto grid = uniform_grid(5);
  const auto result = [&](std::uint64_t start_seed, std::uint64_t seed, std::uint64_t first) {
    const auto end = integrate(be, momentum{}, chain(), steady_denoiser{}, grid,
                               draw_start<float>(be, chain(), grid, image, {first, 1}, start_seed), seed);
    return values_of(be, end.x.view());
  };
  const auto first = result(1, 1, 0);
  CHECK(result(1, 1, 0) == first);
  CHECK(result(2, 1, 0) != first);
  CHECK(result(1, 2, 0) != first);
  CHECK(result(1, 1, 1) != first);
}

TEST_CASE("no step after the first takes memory from the heap", "[sampler]") {
  const auto check = [](auto& be) {
    for_every_sampler([&](const auto& sampler, const auto& corruption) {
      const auto grid = uniform_grid(12);
      std::vector<std::size_t> taken;
      taken.reserve(16);
      draw<float>(be, sampler, corruption, grid, {0, 9}, [&](const auto&) { taken.push_back(heap::taken.load()); });
      REQUIRE(taken.size() == 12);
      // Observed before every step: from the second on nothing comes.
      CHECK(taken.back() == taken[1]);
    });
  };
  serial_backend serial;
  tbb_backend threads{2};
  check(serial);
  check(threads);
}
