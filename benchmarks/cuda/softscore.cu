// DDPM of the plain CNN on a GPU: seconds of a whole training step and of 64 images by 100 steps of sampling, as one
// line of JSON. The step counts everything from the images in host memory on: corruption, network, gradient, clipping,
// Adam.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <softscore/backend/cuda.hpp>
#include <softscore/core/host_array.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/train/trainer.hpp>

using namespace softscore;

namespace {

// The mean of `count` calls, after some that the graphs are made in.
template <class Body>
double seconds_of(cuda_backend& be, int count, const Body& body) {
  for (int i = 0; i < 5; ++i) body();
  be.finish();
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) body();
  be.finish();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() / count;
}

using noise = corruption<scaling, linear_beta>;
using denoiser_type = epsilon_denoiser<plain_cnn, noise>;

double training_step(cuda_backend& be, const noise& corruption) {
  constexpr std::size_t images = 12800, batch = 128;
  host_array<float> data{{images, 1, 28, 28}};
  for (std::size_t i = 0; i < data.view().size(); ++i)
    data.view()[i] = static_cast<float>(uniform(noise_key{}, i / 784, static_cast<std::uint32_t>(i % 784)));
  denoiser_type denoiser{plain_cnn{}, corruption};
  training_options options;
  options.epochs = 1000;
  options.batch_size = batch;
  options.ema_decay = 0.999;
  options.max_grad_norm = 1.0;
  trainer<cuda_backend, noise, denoiser_type, epsilon_loss> work{be,          corruption, denoiser, epsilon_loss{},
                                                                 data.view(), options};
  return seconds_of(be, 500, [&] { work.step(); });
}

double sampling(cuda_backend& be, const noise& corruption) {
  denoiser_type denoiser{plain_cnn{}, corruption};
  denoiser.network().initialize(1);
  const time_grid grid = uniform_grid(100);
  return seconds_of(be, 10, [&] {
    auto end = integrate(be, ddpm{}, corruption, denoiser, grid,
                         draw_start<float>(be, corruption, grid, {1, 1, 28, 28}, {0, 64}, 1), 1);
    std::vector<float> host(end.x.view().size());
    be.download(end.x.view(), host.data());
  });
}

}  // namespace

int main() {
  try {
    cuda_backend be, one_by_one{cuda_options{.graphs = 0}}, tf32{cuda_options{.math = cuda_math::tf32}};
    const noise corruption{scaling{}, linear_beta{}};
    cudaDeviceProp properties{};
    detail::check_cuda(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
    std::printf("{\"device\": \"%s\", ", properties.name);
    std::printf("\"training step\": {\"graphs\": %.9f, \"graphs, TF32\": %.9f, \"kernel by kernel\": %.9f}, ",
                training_step(be, corruption), training_step(tf32, corruption), training_step(one_by_one, corruption));
    std::printf("\"sampling\": {\"graphs\": %.9f, \"graphs, TF32\": %.9f, \"kernel by kernel\": %.9f}}\n",
                sampling(be, corruption), sampling(tf32, corruption), sampling(one_by_one, corruption));
    return 0;
  } catch (const error& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
    return 77;
  }
}
