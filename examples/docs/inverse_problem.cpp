// Fills holes: three methods restore smooth random images that have lost three pixels in four. They use the same
// operator objects that corrupt images for training. The denoiser is exact, so nothing is trained.
#include <cmath>
#include <cstddef>
#include <iostream>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/denoiser/spectral_denoiser.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/random_mask.hpp>
#include <softscore/sampler/diffpir.hpp>
#include <softscore/sampler/dps.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/projection.hpp>

using namespace softscore;

namespace {

const shape image{1, 1, 24, 24};
const image_range images{0, 8};

// Normal images without a preferred direction: the variance of a cosine falls with its frequency.
std::vector<double> smooth_spectrum() {
  std::vector<double> variances;
  for (std::size_t y = 0; y < image.height; ++y)
    for (std::size_t x = 0; x < image.width; ++x)
      variances.push_back(30.0 / std::pow(1.0 + 0.5 * static_cast<double>(x * x + y * y), 2.0));
  return variances;
}

// The root mean square difference of two batches.
template <class A, class B>
double distance(const A& a, const B& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i] - b[i]), 2.0);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

}  // namespace

int main() {
  serial_backend be;
  // A blur that grows with the noise: sampling starts from a blurred image in noise.
  const corruption blurring{dct_blur{}, variance_exploding{.sigma_min = 0.02, .sigma_max = 4.0, .level_max = 3.0}};
  const spectral_denoiser denoiser{blurring, std::vector<double>(image.per_image()), smooth_spectrum(), image};
  const auto grid = uniform_grid(100);
  auto truth =
      integrate(be, momentum{}, blurring, denoiser, grid, draw_start<float>(be, blurring, grid, image, images, 1), 1);

  // begin measure
  const measurement holes{random_mask{{.seed = 5}}, level{0.75}, 0.05};  // hides three pixels in four; noise 0.05
  auto y = be.make<float>(image.with_images(images.count));
  holes.observe<serial_backend, float>(be, {.seed = 2}, images, truth.x.view(), y.view());
  const auto seen = observation::from(be, y.view());
  // end measure

  // begin solve
  const auto restored = [&](const auto& sampler) {
    auto drawn =
        integrate(be, sampler, blurring, denoiser, grid, draw_start<float>(be, blurring, grid, image, images, 3), 3);
    return distance(drawn.x.view(), truth.x.view());
  };
  const double by_projection = restored(projection{holes, seen, momentum{}});
  const double by_diffpir = restored(diffpir{holes, seen});
  const double by_dps = restored(dps{holes, seen, 0.5, dps_scale::residual, momentum{}});
  // end solve
  const double unrelated = restored(momentum{}), measured = distance(y.view(), truth.x.view());
  std::cout << "distance from the truth: measured " << measured << ", projection " << by_projection << ", DiffPIR "
            << by_diffpir << ", DPS " << by_dps << ", another image of the same distribution " << unrelated << '\n';
  // A method that uses y is nearer to the truth than y is, and nearer than an image that was drawn without y.
  for (const double by_method : {by_projection, by_diffpir, by_dps})
    if (!(by_method < 0.6 * measured && by_method < 0.5 * unrelated)) return 1;
  return by_diffpir < by_projection && by_dps < by_projection ? 0 : 1;
}
