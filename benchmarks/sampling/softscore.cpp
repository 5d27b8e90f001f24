// 64 images by 100 steps of DDPM: network, sampler and noise.
#include <memory>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/integrate.hpp>

#include "digit_network.hpp"

namespace {

using namespace softscore;

using noise = corruption<scaling, linear_beta>;
constexpr std::size_t steps = 100;
constexpr std::uint64_t seed = 1;

struct sampling {
  std::vector<float> draw(std::size_t images) {
    const time_grid grid = uniform_grid(steps);
    auto drawn = integrate(be, ddpm{}, corruption, denoiser, grid, start(images), seed);
    return values(drawn.x);
  }
  start_point<tbb_backend, float> start(std::size_t images) {
    return draw_start<float>(be, corruption, uniform_grid(steps), shape{1, 1, 28, 28}, image_range{0, images}, seed);
  }
  std::vector<float> values(host_array<float>& of) {
    std::vector<float> host(of.view().size());
    be.download(of.view(), host.data());
    return host;
  }

  tbb_backend be;
  noise corruption{scaling{}, linear_beta{}};
  epsilon_denoiser<plain_cnn, noise> denoiser{bench::golden_network(), corruption};
};

}  // namespace

int main(int argc, char** argv) {
  const auto answer = [](const std::string& file) {
    constexpr std::size_t images = 2;
    sampling s;
    auto from = s.start(images);
    const auto x = s.values(from.x), drawn = s.draw(images);
    std::vector<float> noise;
    const shape extent{images, 1, 28, 28};
    auto z = s.be.make<float>(extent);
    for (std::uint32_t i = 0; i + 1 < steps; ++i) {
      s.be.normal(noise_key{seed, noise_stream::sampling, i, 0}, image_range{0, images}, z.view());
      const auto of_step = s.values(z);
      noise.insert(noise.end(), of_step.begin(), of_step.end());
    }
    write_safetensors(file, {{"x", {images, 1, 28, 28}, x},
                             {"noise", {steps - 1, images, 1, 28, 28}, noise},
                             {"ours/drawn", {images, 1, 28, 28}, drawn}});
  };
  return bench::run(argc, argv, answer, [] {
    bench::add("64 images, 100 steps",
               [] { return [s = std::make_shared<sampling>()] { benchmark::DoNotOptimize(s->draw(64)); }; });
  });
}
