// Measures how far a set of images is from the training images: the Frechet distance in their first principal
// components, beside two controls. The nearest training image of each shows copies.
#include <iostream>

#include <softscore/core/xtensor.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/io/npy.hpp>
#include <softscore/metric/frechet.hpp>
#include <softscore/metric/nearest.hpp>

int main() try {
  using namespace softscore;
  const auto digits = stroke_digit_set(2000, 500, 1);
  auto gray = make_tensor(extent_of(digits.test.pixels));
  for (std::size_t i = 0; i < gray.size(); ++i)
    gray.data()[i] = static_cast<float>(uniform(noise_key{.seed = 1}, 0, static_cast<std::uint32_t>(i)));
  write_npy("drawn.npy", digits.test.pixels);

  // begin score
  const auto drawn = read_npy("drawn.npy");
  const auto training = as_view(digits.training.pixels);
  const auto components = fit_principal_components(training, 64);
  const double of_drawn = frechet_in_components(components, as_view(drawn), training);
  const double of_held_out = frechet_in_components(components, as_view(digits.test.pixels), training);
  const double of_noise = frechet_in_components(components, as_view(gray), training);
  const auto nearest = nearest_images(as_view(drawn), training);
  std::cout << "drawn " << of_drawn << ", held-out digits " << of_held_out << ", uniform noise " << of_noise
            << "; the first image is " << nearest.front().distance << " from training image " << nearest.front().index
            << '\n';
  // end score
  return of_drawn == of_held_out && of_held_out < 0.1 * of_noise ? 0 : 1;
} catch (const softscore::error& problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
