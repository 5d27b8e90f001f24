// Trains a judge, which is a classifier of images, and measures distances in its features.
#include <cmath>
#include <iostream>
#include <span>

#include <softscore/softscore.hpp>

int main() try {
  using namespace softscore;
  tbb_backend backend;
  const auto digits = stroke_digit_set(2000, 500, 1, 14);
  const auto drawn = stroke_digits(300, 1, 14, 9000);

  // begin train
  clean_denoiser asked{classifier{{.widths = {8, 16}, .features = 16, .classes = 10}, {1, 1, 14, 14}}};
  train(backend, asked, corruption{identity{}, undamaged{}}, cross_entropy{10}, digits,
        {.epochs = 4, .batch_size = 32, .seed = 12, .learning_rate = 4e-3});
  const classifier& net = asked.network();
  write_classifier("judge.safetensors", net, {{"seed", "12"}});
  // end train

  // begin score
  const judgement tests = judge(backend, net, as_view(digits.test.pixels)),
                  of_drawn = judge(backend, net, as_view(drawn.pixels));
  const feature_scores scores = score_features(of_drawn, tests);
  std::cout << "Frechet " << scores.frechet << ", kernel distance " << scores.kernel.mean << ", precision "
            << scores.neighborhood.precision << ", recall " << scores.neighborhood.recall << ", inception score "
            << scores.inception.mean << '\n';
  if (scores.extrapolated) std::cout << "of infinitely many images: " << scores.extrapolated->infinite << '\n';
  std::cout << "named right: " << accuracy(of_drawn.probabilities, std::span<const class_label>{drawn.labels}) << '\n';
  // end score
  const double right = accuracy(tests.probabilities, std::span<const class_label>{digits.test.labels});
  return right > 0.8 && scores.neighborhood.precision > 0.7 && std::isfinite(scores.frechet) ? 0 : 1;
} catch (const softscore::error& problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
