// Observers of training and sampling that record a curve, keep pictures of the path, and stop the run.
#include <cstddef>
#include <iostream>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/soft_score_matching_loss.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/sample.hpp>
#include <softscore/train/train.hpp>

int main() try {
  using namespace softscore;
  serial_backend be;
  const auto digits = stroke_digit_set(256, 32, 1, 16);
  const corruption blurring{gaussian_blur{.half_width = 16}, two_stage{.level_max = 8.0}};
  residual_denoiser denoiser{plain_cnn{{4, 8}, {1, 1, 16, 16}}};

  // begin training
  std::vector<double> curve;
  const auto note = [&](const training_progress& p) {
    curve.push_back(p.loss);
    return p.seconds < 60.0;  // false stops the training; an observer may also return nothing
  };
  train(be, denoiser, blurring, soft_score_matching_loss{}, digits,
        {.epochs = 2, .batch_size = 32, .learning_rate = 1e-3}, note);
  // end training

  // begin sampling
  std::vector<image_batch> way;
  const auto film = [&]<class Be, class T>(const sampling_progress<Be, T>& p) {
    if (p.at.index % 10 != 0) return;
    way.push_back(make_tensor<T>(p.h.extent()));
    p.backend.download(p.h, way.back().data());  // the estimate; p.x is the state
  };
  const auto drawn = sample(be, momentum{}, blurring, denoiser, uniform_grid(40), {.images = 8}, film);
  // end sampling

  // begin stop
  const auto first_half = [](const auto& p) { return p.at.t.value > 0.5; };
  const auto part = sample(be, momentum{}, blurring, denoiser, uniform_grid(40), {.images = 8}, first_half);
  // end stop

  std::cout << curve.size() << " losses, " << way.size() << " pictures of the way; stopped after " << part.nfe << " of "
            << drawn.nfe << " evaluations\n";
  return curve.size() == 16 && way.size() == 4 && drawn.nfe == 40 && part.stopped && part.nfe == 21 ? 0 : 1;
} catch (const softscore::error& problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
