// A network trained on all devices of the machine at once: every rank ends with the same parameters, near those of one
// device.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <utility>
#include <vector>

#include <softscore/backend/cuda.hpp>
#include <softscore/backend/cuda/data_parallel.cuh>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/train/trainer.hpp>

using namespace softscore;

namespace {

template <class Be>
std::vector<float> trained(Be& be, const image_batch& digits, std::size_t batch) {
  const corruption chain{scaling{}, linear_beta{1000}};
  epsilon_denoiser denoiser{plain_cnn{}, chain};
  training_options options;
  options.batch_size = batch;
  trainer<Be, corruption<scaling, linear_beta>, decltype(denoiser), epsilon_loss> work{
      be, chain, denoiser, epsilon_loss{}, as_view(digits), options};
  for (int i = 0; i < 5; ++i) work.step();
  return std::move(work.state().parameters);
}

}  // namespace

int main() {
  try {
    const cuda_device probe{0};
  } catch (const error& reason) {
    std::printf("skipped: no device (%s)\n", reason.what());
    return 77;
  }
  try {
    int devices = 0;
    detail::check_cuda(cudaGetDeviceCount(&devices), "cudaGetDeviceCount");
    const auto ranks = static_cast<std::size_t>(devices);
    const image_batch digits = stroke_digits(1280, 1).pixels;
    std::vector<std::vector<float>> of_rank(ranks);
    on_cuda_devices(ranks,
                    [&](cuda_data_parallel_backend& be) { of_rank[be.rank()] = trained(be, digits, 32 * ranks); });
    bool good = true;
    for (const auto& each : of_rank) good = good && each == of_rank[0];
    cuda_backend one;
    const auto alone = trained(one, digits, 32 * ranks);
    double sum = 0;
    for (std::size_t i = 0; i < alone.size(); ++i) sum += std::pow(static_cast<double>(alone[i] - of_rank[0][i]), 2);
    const double difference = std::sqrt(sum / static_cast<double>(alone.size()));
    std::printf("%zu devices: ranks %s, mean difference from one device %.2e (at most 2e-05)\n", ranks,
                good ? "the same" : "DIFFER", difference);
    return good && difference <= 2e-5 ? 0 : 1;
  } catch (const error& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
    return 2;
  }
}
