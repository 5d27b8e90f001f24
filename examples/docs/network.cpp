// A minimal network, phi(x, t) = gain x + offset with two parameters, trained on digits.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/stamp.hpp>
#include <softscore/objective/naive_loss.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/train/train.hpp>

// begin model
class affine_network {
 public:
  explicit affine_network(softscore::shape image) : image_{image.with_images(1)} {
    layout_.add("gain", {1}, 0.5, 0.1);  // starts uniform in 0.5 +- 0.1
    layout_.add("offset", {1}, 0.0, 0.1);
    parameters_.resize(layout_.count());
  }

  // The parameters: one flat array on the host, a stamp that changes whenever they may have changed, and whether they
  // were ever given values; otherwise training initializes them.
  const softscore::shape& image() const { return image_; }
  std::size_t parameter_count() const { return layout_.count(); }
  const softscore::parameter_layout& layout() const { return layout_; }
  std::span<const float> parameters() const { return parameters_; }
  std::span<float> mutable_parameters() {
    stamp_ = softscore::next_stamp();
    initialized_ = true;
    return parameters_;
  }
  void set_parameters(std::span<const float> values) {
    softscore::require(values.size() == parameter_count(), "the number of parameters", values.size(), "2");
    std::copy(values.begin(), values.end(), mutable_parameters().begin());
  }
  void initialize(std::uint64_t seed) { softscore::draw_initial_values(layout_, seed, mutable_parameters()); }
  bool initialized() const { return initialized_; }
  std::uint64_t stamp() const { return stamp_; }

  // What evaluations write: here the numbers on the host, and a batch of ones for sums over an image.
  template <class Array, class T>
  struct memory {
    Array input, ones;
    std::vector<T> values;     // gain, offset
    std::vector<double> sums;  // one per image
  };
  template <softscore::Scalar T, class Be>
  auto workspace(Be& be, const softscore::shape& most) const {
    memory<softscore::array_of<Be, T>, T> ws{be.template make<T>(most), be.template make<T>(most), std::vector<T>(2),
                                             std::vector<double>(most.images)};
    be.for_each(fill{1.0}, ws.ones.view());
    return ws;
  }

  // With the network's own parameters, then with parameters in the backend's memory.
  template <class Be, class T, class M>
  void evaluate(Be& be, softscore::per_image<softscore::diffusion_time>, softscore::view_of<Be, const T> x,
                softscore::out_of<Be, T> out, M& ws) const {
    std::copy(parameters_.begin(), parameters_.end(), ws.values.begin());
    run(be, x, out, ws);
  }
  template <class Be, softscore::Scalar T, class M>
  void forward(Be& be, softscore::in_of<Be, T> flat, softscore::per_image<softscore::diffusion_time>,
               softscore::in_of<Be, T> x, softscore::out_of<Be, T> out, M& ws) const {
    be.download(flat, ws.values.data());
    run(be, x, out, ws);
  }

  // From dout, the gradient in the output, to dx and the gradients of the parameters. An empty view is not wanted.
  template <class Be, softscore::Scalar T, class M>
  void backward(Be& be, softscore::in_of<Be, T>, softscore::in_of<Be, T> dout, softscore::out_of<Be, T> dx,
                softscore::out_of<Be, T> gradients, M& ws) const {
    const std::size_t images = dout.extent().images;
    if (!gradients.empty()) {
      T sums[2];
      sums[0] = total(be, dout, ws.input.view().images(0, images), ws);
      sums[1] = total(be, dout, ws.ones.view().images(0, images), ws);
      be.upload(sums, gradients);
    }
    if (!dx.empty()) pullback(be, dout, dx, ws);
  }
  template <class Be, class T, class M>
  void pullback(Be& be, softscore::view_of<Be, const T> v, softscore::out_of<Be, T> out, M& ws) const {
    be.combine(out, softscore::term{static_cast<double>(ws.values[0]), v});
  }

 private:
  struct fill {
    double value;
    template <class T>
    SOFTSCORE_HD void operator()(T& x) const {
      x = static_cast<T>(value);
    }
  };
  template <class Be, class T, class M>
  static void run(Be& be, softscore::view_of<Be, const T> x, softscore::out_of<Be, T> out, M& ws) {
    const std::size_t images = x.extent().images;
    be.combine(ws.input.view().images(0, images), softscore::term{1.0, x});
    be.combine(out, softscore::term{static_cast<double>(ws.values[0]), x},
               softscore::term{static_cast<double>(ws.values[1]), ws.ones.view().images(0, images)});
  }
  template <class Be, class T, class M>
  static T total(Be& be, softscore::view_of<Be, const T> a, softscore::out_of<Be, T> b, M& ws) {
    be.dot(a, softscore::view_of<Be, const T>{b}, ws.sums.data());
    const auto last = ws.sums.begin() + static_cast<std::ptrdiff_t>(a.extent().images);
    return static_cast<T>(std::accumulate(ws.sums.begin(), last, 0.0));
  }

  softscore::shape image_;
  softscore::parameter_layout layout_;
  std::vector<float> parameters_;
  std::uint64_t stamp_{softscore::next_stamp()};
  bool initialized_{};
};
static_assert(softscore::Network<affine_network, softscore::archetype_backend, float> &&
              softscore::Network<affine_network, softscore::archetype_backend, double>);
// end model

int main() try {
  using namespace softscore;
  // begin train
  serial_backend be;
  const auto digits = stroke_digit_set(512, 128, 1);
  const corruption noise{identity{}, variance_exploding{.sigma_min = 0.3, .sigma_max = 0.3}};
  clean_denoiser denoiser{affine_network{{1, 1, 28, 28}}};
  const auto result =
      train(be, denoiser, noise, naive_loss{}, digits, {.epochs = 60, .batch_size = 64, .learning_rate = 0.01});
  // end train

  // For one gain and one offset, the least-squares solution is known: gain = var / (var + 0.09).
  double mean = 0.0, square = 0.0;
  for (const float x : digits.training.pixels) mean += x, square += x * x;
  const auto count = static_cast<double>(digits.training.pixels.size());
  mean /= count;
  const double variance = square / count - mean * mean, gain = variance / (variance + 0.09);
  const auto found = denoiser.network().parameters();
  std::cout << "gain " << found[0] << " (best " << gain << "), offset " << found[1] << " (best " << (1 - gain) * mean
            << "), test loss " << result.test_losses.back() << '\n';
  // With steps of 0.01 on a noisy gradient, Adam ends within a few steps of the solution.
  return std::abs(found[0] - gain) < 0.03 && std::abs(found[1] - (1 - gain) * mean) < 0.03 ? 0 : 1;
} catch (const softscore::error& problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
