// The kernels of the library softscore::compiled beside those compiled with this program's own flags: training steps of
// the CNN of the recipes and of two U-Nets, in turn, with the losses compared. Prints the median and the range of the
// ratios of times, library over headers.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <softscore/compiled.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/train/trainer.hpp>

#include "unet_models.hpp"

namespace {

using namespace softscore;
using noise_corruption = corruption<scaling, linear_beta>;
using cnn_denoiser = epsilon_denoiser<plain_cnn, noise_corruption>;

// A step of the CNN of the recipes, batch 128.
template <class Be>
struct cnn_steps {
  explicit cnn_steps(std::size_t threads) : be{threads} {}
  double operator()() { return work.step(); }

  Be be;
  labeled_images images = stroke_digits(512, 1);
  noise_corruption noise{scaling{}, linear_beta{1000}};
  cnn_denoiser denoiser{plain_cnn{{16, 32, 32, 16}}, noise};
  trainer<Be, noise_corruption, cnn_denoiser, epsilon_loss> work{
      be, noise, denoiser, epsilon_loss{}, as_view(images.pixels), {.epochs = 100000, .batch_size = 128, .seed = 1}};
};

double seconds_of(const std::function<double()>& step, std::size_t count, double& loss) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t k = 0; k < count; ++k) loss = step();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void compare(const char* name, const std::function<double()>& library, const std::function<double()>& headers,
             std::size_t pairs) {
  double of_library = 0, of_headers = 0;
  seconds_of(library, 5, of_library);
  seconds_of(headers, 2, of_headers);  // the first steps wait for memory
  const double once = seconds_of(headers, 3, of_headers) / 3;
  const auto count = static_cast<std::size_t>(std::max(1.0, 0.5 / once));
  std::vector<double> ratios;
  for (std::size_t k = 0; k < pairs; ++k) {
    const double a = seconds_of(library, count, of_library), b = seconds_of(headers, count, of_headers);
    ratios.push_back(a / b);
  }
  std::sort(ratios.begin(), ratios.end());
  std::printf("%-40s %8.1f ms  %.3f (%.3f to %.3f)  losses differ by %.1e\n", name, 1e3 * once, ratios[pairs / 2],
              ratios.front(), ratios.back(), std::abs(of_library / of_headers - 1));
}

template <template <class> class Steps, class... Arguments>
void compare_steps(const char* name, std::size_t pairs, const Arguments&... arguments) {
  const auto library = std::make_shared<Steps<compiled_backend>>(arguments...);
  const auto headers = std::make_shared<Steps<tbb_backend>>(arguments...);
  compare(name, [=] { return (*library)(); }, [=] { return (*headers)(); }, pairs);
}

}  // namespace

int main(int count, char** arguments) {
  const std::size_t pairs = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 11, threads = bench::cores();
  std::printf("kernels of %s, %zu threads, %zu pairs; time of the headers' step, library over headers\n",
              std::string{compiled_backend{}.instructions()}.c_str(), threads, pairs);
  compare_steps<cnn_steps>("CNN of the recipes, batch 128", pairs, threads);
  const auto models = bench::unet_models();
  compare_steps<bench::unet_step>("U-Net (a), batch 32", pairs, threads, models[0], std::size_t{32});
  compare_steps<bench::unet_step>("U-Net (d), batch 64", pairs, threads, models[3], std::size_t{64});
}
