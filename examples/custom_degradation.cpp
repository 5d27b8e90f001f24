// Adds a degradation to the library, trains a model on it and draws from the model. fog.png shows digits in thicker and
// thicker fog, and images that the model drew. The first argument is the number of epochs (100).
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <softscore/softscore.hpp>

// begin fog
struct fog {
  double density{4.0};
};

template <>
struct softscore::degradation<fog> : softscore::diagonal<softscore::degradation<fog>> {
  SOFTSCORE_HD static double entry(const fog& f, level w, const shape& s, pixel p) {
    const double depth = 2.0 - static_cast<double>(p.row) / static_cast<double>(s.height);  // the top is far away
    return std::exp(-f.density * w.value * depth);
  }
};
static_assert(softscore::LinearOperator<fog>);
// end fog

int main(int count, char** arguments) try {
  using namespace softscore;

  tbb_backend backend;
  const auto digits = stroke_digit_set(1024, 64, 1, 14);
  const std::size_t epochs = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 100;

  const corruption fogging{fog{}, two_stage{.level_min = 0.0, .level_max = 1.0, .levels = spacing::linear}};
  residual_denoiser denoiser{plain_cnn{{16, 16}, {1, 1, 14, 14}}};
  const training_options options{
      .epochs = epochs, .batch_size = 64, .learning_rate = 2e-3, .warmup_steps = 20, .ema_decay = 0.99};
  train(backend, denoiser, fogging, soft_score_matching_loss{}, digits, options, progress_bar{});
  const auto drawn = sample(backend, momentum{}, fogging, denoiser, uniform_grid(50), {.images = 8, .seed = 1});

  // Seven rows of thicker and thicker fog, and one row of drawn images.
  const shape row{8, 1, 14, 14};
  auto rows = make_tensor(row.with_images(64));
  for (std::size_t k = 0; k < 7; ++k) {
    const level thickness{static_cast<double>(k) / 24.0};
    degradation<fog>::apply<fog, tbb_backend, float>(
        fog{}, backend, thickness, as_view(digits.training.pixels).images(0, 8), as_view(rows).images(8 * k, 8));
  }
  std::copy(drawn.images.begin(), drawn.images.end(), rows.begin() + 56 * 14 * 14);
  write_png("fog.png", tiled(rows, 8, 1));
  std::printf("fog.png: seven rows of fog, and what the model draws in %zu evaluations\n", drawn.nfe);
} catch (const softscore::error& problem) {
  std::fprintf(stderr, "%s\n", problem.what());
  return 2;
}
