// Your own objective: the error of the estimate, weighted by the signal-to-noise ratio, which is capped at 5.
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <span>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/archetype.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/denoiser/archetype.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/concept.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/train/train.hpp>

// begin model
struct min_snr {
  static constexpr bool needs_normal_noise = true;
  double most{5.0};

  template <class Array>
  struct memory {
    Array error;
    std::vector<double> factors;  // one per image
  };
  template <softscore::Scalar T, class Be>
  auto workspace(Be& be, const softscore::shape& batch) const {
    return memory<softscore::array_of<Be, T>>{be.template make<T>(batch), std::vector<double>(batch.images)};
  }

  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& corruption, const D& denoiser, DM& denoiser_memory,
                const softscore::corrupted_batch<Be, T>& batch, softscore::in_of<Be, T> phi,
                softscore::out_of<Be, T> gradient, double* losses, M& own) const {
    using term = softscore::term_of<Be, T>;
    const std::size_t images = phi.extent().images;
    const auto elements = static_cast<double>(phi.extent().per_image());
    const auto error = own.error.view().images(0, images);

    denoiser.template from_output<Be, T>(be, batch.times, batch.noisy, phi, error, denoiser_memory);  // h
    be.combine(error, term{1.0, error}, term{-1.0, batch.clean});
    be.dot(error, error, losses);
    for (std::size_t i = 0; i < images; ++i) {
      const double a = corruption.signal_gain(batch.times[i]), sigma = corruption.sigma(batch.times[i]);
      const double weight = std::min(a * a / (sigma * sigma), most);
      losses[i] *= weight / elements;
      own.factors[i] = 2.0 * weight / (elements * static_cast<double>(images));
    }
    be.combine(error, term{softscore::per_image<double>{std::span<const double>{own.factors}}, error});  // d loss / d h
    denoiser.template to_output<Be, T>(be, batch.times, error, gradient, denoiser_memory);
  }
};
static_assert(softscore::Objective<min_snr, softscore::archetype_corruption, softscore::archetype_denoiser,
                                   softscore::archetype_backend, float>);
// end model

int main() try {
  using namespace softscore;
  serial_backend be;
  const auto digits = stroke_digit_set(256, 64, 1, 16);
  const corruption noise{scaling{}, linear_beta{1000}};
  epsilon_denoiser denoiser{plain_cnn{{4}, {1, 1, 16, 16}}, noise};
  const auto result =
      train(be, denoiser, noise, min_snr{}, digits, {.epochs = 8, .batch_size = 32, .learning_rate = 2e-3});
  std::cout << "test loss " << result.test_losses.front() << " after the first epoch, " << result.test_losses.back()
            << " after the last\n";
  return result.test_losses.back() < 0.9 * result.test_losses.front() ? 0 : 1;
} catch (const softscore::error& problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
