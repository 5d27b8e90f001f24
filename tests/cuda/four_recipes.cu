// The four recipes of the program `digits` on a device: an epoch of training on built-in digits makes the loss fall,
// and what is drawn afterwards is finite.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/cuda.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/cold_loss.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/objective/soft_score_matching_loss.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/train/trainer.hpp>

using namespace softscore;

namespace {

// Whether the recipe holds what is said above.
template <class C, class D, class O, class S>
bool holds(cuda_backend& be, const char* name, const image_batch& digits, const C& corruption, D denoiser,
           const O& objective, const S& sampler, double average) {
  training_options options;
  options.epochs = 1;
  options.batch_size = 128;
  options.max_grad_norm = 1.0;
  options.ema_decay = average;
  trainer<cuda_backend, C, D, O> work{be, corruption, denoiser, objective, as_view(digits), options};
  while (work.done() < work.steps()) work.step();
  work.finish();
  const std::span<const float> losses = work.losses();
  const auto mean = [](std::span<const float> part) {
    return std::accumulate(part.begin(), part.end(), 0.0) / static_cast<double>(part.size());
  };
  const std::size_t some = losses.size() / 5;
  const double before = mean(losses.first(some)), after = mean(losses.last(some));
  const time_grid grid = uniform_grid(20);
  auto end = integrate(be, sampler, corruption, denoiser, grid,
                       draw_start<float>(be, corruption, grid, {1, 1, 28, 28}, {0, 16}, 1), 1);
  std::vector<float> drawn(end.x.view().size());
  be.download(end.x.view(), drawn.data());
  const bool finite = std::all_of(drawn.begin(), drawn.end(), [](float v) { return std::isfinite(v); });
  std::printf("%-8s loss %.4f, at the end %.4f; drawn: %s; %zu replays of graphs\n", name, before, after,
              finite ? "finite" : "NOT FINITE", be.replays());
  return after < before && finite;
}

bool all_hold() {
  cuda_backend be;
  const image_batch digits = stroke_digits(12800, 1).pixels;
  const auto network = [] { return plain_cnn{}; };
  const corruption chain{scaling{}, linear_beta{1000}};
  bool good = holds(be, "ddpm", digits, chain, epsilon_denoiser{network(), chain}, epsilon_loss{}, ddpm{}, 0.0);
  good &= holds(be, "eraser", digits, background_corruption{eraser{28, 28, 100}, severity{100}},
                clean_denoiser{network()}, cold_loss{}, cold{}, 0.0);
  good &= holds(be, "blur", digits, corruption{gaussian_blur{.half_width = 28}, two_stage{.level_max = 14.0}},
                residual_denoiser{network()}, soft_score_matching_loss{}, momentum{}, 0.999);
  good &= holds(be, "mask", digits,
                corruption{centered_mask{}, two_stage{.level_min = 0.0, .level_max = 28.0, .levels = spacing::linear}},
                residual_denoiser{network()}, soft_score_matching_loss{.ahead = 0.05}, momentum{}, 0.999);
  return good;
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
    return all_hold() ? 0 : 1;
  } catch (const error& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
    return 2;
  }
}
