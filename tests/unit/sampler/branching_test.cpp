#include "catch.hpp"

#include <cstddef>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/flow_matching.hpp>
#include <softscore/corruption/log_snr.hpp>
#include <softscore/nn/paper003.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/sample_branching.hpp>

#include "refusal.hpp"

using namespace softscore;

namespace {

// The sampler of Ng et al. n.d., Section 4.2. Runs of PyTorch are compared in golden/added_layer.hpp.
const corruption noising{scaling{}, log_snr_schedule<ddpm_log_snr>{}};

auto small_networks() {
  unet<log_snr> frozen{paper003_unet(1)};
  frozen.initialize(3);
  behind_frozen net{frozen, add_net<>{{1, 3, 8, 8}, {.classes = 10, .kernel = 3, .last_relu = false}}};
  net.initialize(4);
  return net;
}

std::vector<float> pixels_of(const branching_result<float>& drawn) {
  return {drawn.images.data(), drawn.images.data() + drawn.images.size()};
}

}  // namespace

TEST_CASE("prime factors come largest first", "[sampler]") {
  CHECK(prime_factors(1).empty());
  CHECK(prime_factors(10) == std::vector<std::size_t>{5, 2});
  CHECK(prime_factors(360) == std::vector<std::size_t>{5, 3, 3, 2, 2, 2});
  CHECK(prime_factors(97) == std::vector<std::size_t>{97});
}

TEST_CASE("a run that branches shows the frozen network few images", "[sampler]") {
  serial_backend be;
  const auto net = small_networks();
  // 1 + 10 + 50 + 100 + 100 in five steps for 100 images.
  std::vector<std::size_t> sizes;
  const auto drawn = sample_branching(be, ddim{1.0}, noising, net, uniform_grid(5), {.images = 100, .seed = 2},
                                      [&](const auto& progress) {
                                        CHECK(progress.images == 100);
                                        CHECK(progress.nfe == progress.at.index + 1);
                                        sizes.push_back(progress.x.extent().images);
                                      });
  CHECK(drawn.evaluated_images == 261);
  CHECK(drawn.nfe == 5);
  CHECK(!drawn.stopped);
  CHECK(sizes == std::vector<std::size_t>{10, 50, 100, 100, 100});
  for (std::size_t n = 0; n < 100; ++n) CHECK(drawn.labels[n] == static_cast<class_label>(n % 10));
  // The copies of an image have numbers of their own: without fresh noise too, no two images of a class are the same.
  const auto pixels =
      pixels_of(sample_branching(be, ddim{}, noising, net, uniform_grid(5), {.images = 100, .seed = 2}));
  const auto part = [&](std::size_t n) {
    const auto begin = pixels.begin() + static_cast<std::ptrdiff_t>(n * 192);
    return std::vector<float>(begin, begin + 192);
  };
  for (std::size_t n = 0; n < 100; ++n)
    for (std::size_t m = n % 10; m < n; m += 10) CHECK(part(n) != part(m));
}

TEST_CASE("a run that branches is a function of its seed, and stops when it is asked to", "[sampler]") {
  tbb_backend one{1}, two{2};
  const auto net = small_networks();
  const time_grid grid = uniform_grid(4);
  const branching_options options{.images = 20, .seed = 5};
  const auto first = pixels_of(sample_branching(one, ddim{1.0}, noising, net, grid, options));
  CHECK(first == pixels_of(sample_branching(two, ddim{1.0}, noising, net, grid, options)));
  CHECK(first != pixels_of(sample_branching(two, ddim{1.0}, noising, net, grid, {.images = 20, .seed = 6})));
  const auto stopped = sample_branching(two, ddim{1.0}, noising, net, grid, options,
                                        [](const auto& progress) { return progress.at.index < 1; });
  CHECK(stopped.stopped);
  CHECK(stopped.nfe == 2);
  const auto early = sample_branching(two, ddim{1.0}, noising, net, grid, options, [](const auto&) { return false; });
  const auto pixels = pixels_of(early);
  for (std::size_t i = 10 * 192; i < pixels.size(); ++i) CHECK(pixels[i] == 0);  // not there yet
}

TEST_CASE("a run that branches refuses what does not fit", "[sampler]") {
  serial_backend be;
  const auto net = small_networks();
  const auto refused = [&](const branching_options& options, std::size_t steps) {
    return refusal([&] { sample_branching(be, ddim{}, noising, net, uniform_grid(steps), options); });
  };
  CHECK(refused({.images = 25}, 5) == "images is 25, but it must be a multiple of the number of classes, 10");
  CHECK(refused({.images = 0}, 5) == "images is 0, but it must be a multiple of the number of classes, 10");
  CHECK(refused({.images = 100}, 2) ==
        "number of steps is 2, but it must be above the number of prime factors of images / classes, 2");
  const corruption straight{scaling{}, flow_matching{}};
  CHECK_THAT(refusal([&] { sample_branching(be, ddim{}, straight, net, uniform_grid(5), {.images = 20}); }),
             Catch::Matchers::StartsWith("a^2 + sigma^2 under a velocity prediction is "));
  CHECK(refused({.images = 10, .noise = -1}, 2) == "noise is -1, but it must be finite and at least 0");
}
