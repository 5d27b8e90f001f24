// Trains a model that undoes blur and noise, and draws sixteen images. The first argument: how many digits (256).
#include <cstdlib>
#include <iostream>

#include <softscore/softscore.hpp>

int main(int count, char** arguments) try {
  using namespace softscore;

  tbb_backend backend;
  const auto digits = stroke_digit_set(count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 256, 64, 1);

  const gaussian_blur blur{.half_width = 28};
  const two_stage schedule{.sigma_max = 0.1, .level_max = 14.0};
  const corruption blurring{blur, schedule};
  residual_denoiser denoiser{plain_cnn{{16, 32, 32, 16}}};
  train(backend, denoiser, blurring, soft_score_matching_loss{}, digits, {.epochs = 1, .batch_size = 64},
        progress_bar{});

  const corruption start{blur, schedule, fit_prior(backend, blurring, as_view(digits.training.pixels))};
  const auto drawn = sample(backend, momentum{}, start, denoiser, uniform_grid(20), {.images = 16, .seed = 1});
  write_png("samples.png", tiled(drawn.images, 4));
  std::cout << "samples.png: 16 images, " << drawn.nfe << " network evaluations each\n";
} catch (const softscore::error& problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
