// A denoiser with classes in closed form: every pixel is 1 or -1, with a probability that depends on the class.
// Sampling with labels tosses coins with that probability; guidance exaggerates it.
#include <cmath>
#include <cstddef>
#include <iostream>
#include <span>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/sample_into.hpp>

// begin model
/// For x_t = x_0 + sigma z and P(x_0 = 1) = p: E[x_0 given x_t = x] = tanh(x / sigma^2 + log(p / (1 - p)) / 2). Class 0
/// has p = 0.2, class 1 has p = 0.8, and without a class p = 0.5.
template <class C>
struct biased_coins {
  static constexpr int evaluations = 1;
  const C& corruption;

  std::size_t label_count() const { return 2; }

  struct nothing {};
  template <softscore::Scalar T, class Be>
  nothing workspace(Be&, softscore::shape) const {
    return {};
  }

  struct mean {
    double variance, bias;
    template <class T>
    SOFTSCORE_HD void operator()(T& h, const T& x) const {
      h = std::tanh(x / static_cast<T>(variance) + static_cast<T>(bias));
    }
  };
  template <class Be, softscore::Scalar T>
  void estimate(Be& be, const softscore::condition& asked, softscore::in_of<Be, T> x, softscore::out_of<Be, T> out,
                nothing&) const {
    const double half_log_odds = 0.5 * std::log(4.0);
    for (std::size_t i = 0; i < x.extent().images; ++i) {
      const auto label = asked.given.labels.empty() ? softscore::no_class : asked.given.labels[i];
      const double sigma = corruption.sigma(asked.times[i]);
      be.for_each(mean{sigma * sigma, label == 0   ? -half_log_odds
                                      : label == 1 ? half_log_odds
                                                   : 0.0},
                  out.images(i, 1), x.images(i, 1));
    }
  }
};
// end model

namespace {

// The share of pixels that are 1.
double share(std::span<const float> pixels) {
  std::size_t ones = 0;
  for (const float pixel : pixels) ones += pixel > 0.0f;
  return static_cast<double>(ones) / static_cast<double>(pixels.size());
}

}  // namespace

int main() {
  using namespace softscore;
  // begin use
  serial_backend be;
  const corruption noise{identity{}, variance_exploding{.sigma_min = 0.02, .sigma_max = 20.0}};
  const biased_coins<std::remove_const_t<decltype(noise)>> coins{noise};

  std::vector<float> pixels(3 * 64 * 64);
  const sample_options three{.images = 3, .image = shape{1, 1, 64, 64}, .labels = {0, 1, no_class}};
  sample(be, momentum{}, noise, coins, uniform_grid(200), std::span{pixels}, three);
  // end use
  const auto of_image = [&](std::size_t i) { return share(std::span{pixels}.subspan(i * 4096, 4096)); };
  const double shares[] = {of_image(0), of_image(1), of_image(2)};
  // begin guide
  sample(be, momentum{}, noise, classifier_free{coins, 2.0}, uniform_grid(200), std::span{pixels}, three);
  // end guide
  const double guided[] = {of_image(0), of_image(1), of_image(2)};
  std::cout << "ones: " << shares[0] << " " << shares[1] << " " << shares[2] << "\nguided: " << guided[0] << " "
            << guided[1] << " " << guided[2] << "\n";
  // The share of 4096 coins has a standard deviation below 0.008; the bound allows five of them, and the error of 200
  // steps.
  const auto near = [](double found, double wanted) { return std::abs(found - wanted) < 0.05; };
  const bool classes = near(shares[0], 0.2) && near(shares[1], 0.8) && near(shares[2], 0.5);
  const bool further = guided[0] < shares[0] - 0.05 && guided[1] > shares[1] + 0.05 && near(guided[2], 0.5);
  return classes && further ? 0 : 1;
}
