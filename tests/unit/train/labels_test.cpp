// Training with labels: what the network and the objective see of them, and a classifier.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <softscore/softscore.hpp>

#include "catch.hpp"
#include "labelled_network.hpp"
#include "refusal.hpp"
#include "smallest_unet.hpp"

using namespace softscore;

namespace {

const corruption noise{scaling{}, linear_beta{100}};

auto labelled(std::size_t classes = 10) { return epsilon_denoiser{labelled_network{{1, 1, 12, 12}, classes}, noise}; }

// The loss of DDPM, which notes the labels of each batch.
struct watching : epsilon_loss {
  std::vector<std::vector<class_label>>* seen;

  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& c, const D& d, DM& dm, const corrupted_batch<Be, T>& batch, in_of<Be, T> phi,
                out_of<Be, T> gradient, double* losses, M& memory) const {
    seen->emplace_back(batch.given.labels.begin(), batch.given.labels.end());
    epsilon_loss::evaluate<Be, C, D, DM, T, M>(be, c, d, dm, batch, phi, gradient, losses, memory);
  }
};

// The labels of all batches of a run, one after the other.
std::vector<class_label> seen_in(const training_options& options, const labeled_images& data) {
  serial_backend be;
  auto denoiser = labelled();
  std::vector<std::vector<class_label>> seen;
  train(be, denoiser, noise, watching{{}, &seen}, {data, {}}, options);
  std::vector<class_label> all;
  for (const auto& batch : seen) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

}  // namespace

// Ho and Salimans 2022, Algorithm 1: with probability p_uncond the condition becomes the one that stands for none.
TEST_CASE("Each label is hidden with the probability asked for, the same ones for any split of the batch", "[train]") {
  const auto digits = stroke_digits(50, 1, 12);
  training_options options{.epochs = 40, .batch_size = 50, .seed = 3};
  const auto shown = seen_in(options, digits);
  REQUIRE(shown.size() == 2000);
  CHECK(std::count(shown.begin(), shown.end(), no_class) == 0);
  options.label_dropout = 0.3;
  const auto dropped = seen_in(options, digits);
  std::size_t hidden = 0;
  for (std::size_t i = 0; i < 2000; ++i) {
    hidden += dropped[i] == no_class ? 1u : 0u;
    CHECK((dropped[i] == no_class || dropped[i] == shown[i]));
  }
  // Five standard deviations of a binomial count, sqrt(2000 x 0.3 x 0.7) = 20.5.
  CHECK(std::abs(static_cast<double>(hidden) - 600.0) < 5 * 20.5);
  options.accumulate = 10;
  CHECK((seen_in(options, digits) == dropped));
  options.seed = 4;
  CHECK((seen_in(options, digits) != dropped));
}

TEST_CASE("A network that takes labels learns what each class looks like", "[train]") {
  // An image is its class: black for 0, white for 1. Under much noise only the label tells.
  auto pixels = make_tensor({64, 1, 12, 12});
  std::vector<class_label> labels(64);
  for (std::size_t i = 0; i < 64; ++i) {
    labels[i] = i % 3 == 0 ? 1 : 0;
    std::fill_n(pixels.data() + i * 144, 144, static_cast<float>(labels[i]));
  }
  serial_backend be;
  const corruption much{identity{}, variance_exploding{.sigma_min = 100.0, .sigma_max = 101.0}};
  clean_denoiser denoiser{labelled_network{{1, 1, 12, 12}, 2}};
  training_options options{.epochs = 400, .batch_size = 32, .learning_rate = 0.01};
  options.label_dropout = 0.25;
  options.learning_rate_decay = rate_decay::cosine;
  train(be, denoiser, much, naive_loss{}, {{pixels, labels}, {}}, options);
  const auto row = [&](std::size_t at) { return denoiser.network().parameters()[1 + at]; };
  const auto slope = denoiser.network().parameters()[4];
  // At t = 1/2, with the rest of the noise: the mean over a few hundred images hidden or not.
  CHECK(row(0) + 0.5f * slope == Approx(0.0).margin(0.1));
  CHECK(row(1) + 0.5f * slope == Approx(1.0).margin(0.1));
  CHECK(row(2) + 0.5f * slope == Approx(22.0 / 64.0).margin(0.1));  // without a class: the mean of all
}

TEST_CASE("Hiding labels is refused before any work where the network needs them", "[train]") {
  // As UNet2DModel with class_embed_type "timestep".
  unet_config config = smallest_unet();
  config.class_embedding = unet_class::timestep;
  serial_backend be;
  epsilon_denoiser denoiser{unet<step_index>{config}, noise};
  bool worked = false;
  const auto look = [&](const training_progress&) { return worked = true, false; };
  const auto digits = stroke_digit_set(16, 8, 1, 12);
  CHECK_REFUSED(
      train(be, denoiser, noise, epsilon_loss{}, digits, {.epochs = 1, .batch_size = 8, .label_dropout = 0.1}, look),
      "a label is -1, but it must be between 0 and");
  CHECK_FALSE(worked);
  train(be, denoiser, noise, epsilon_loss{}, digits, {.epochs = 1, .batch_size = 8}, look);
  CHECK(worked);
}

TEST_CASE("Labels that are missing or that the network does not know are refused before any work", "[train]") {
  serial_backend be;
  const auto digits = stroke_digit_set(32, 16, 1, 12);
  const training_options options{.epochs = 1, .batch_size = 16};
  bool worked = false;
  const auto look = [&](const training_progress&) { worked = true; };
  const auto run = [&](std::size_t classes, auto change) {
    data_set data = digits;
    change(data);
    auto denoiser = labelled(classes);
    train(be, denoiser, noise, epsilon_loss{}, data, options, look);
  };
  CHECK_REFUSED(run(10, [](data_set& d) { d.training.labels.clear(); }),
                "for the training images, number of labels is 0, but it must be that of the images, for this network");
  CHECK_REFUSED(run(10, [](data_set& d) { d.test.labels.clear(); }), "for the test images, number of labels is 0");
  CHECK_REFUSED(run(10, [](data_set& d) { d.training.labels[7] = 10; }),
                "for the training images, the label of image 7 is 10, but it must be between 0 and 9, or -1 for none");
  CHECK_REFUSED(run(10, [](data_set& d) { d.test.labels[3] = -2; }), "for the test images, the label of image 3 is -2");
  CHECK_REFUSED(run(9, [](data_set&) {}), "the label of image 9 is 9, but it must be between 0 and 8");
  CHECK_FALSE(worked);
  run(10, [](data_set& d) { d.training.labels[7] = no_class; });
  CHECK(worked);
}

namespace {

// The scores of ten classes, linear in the pixels: its output has another shape than its input.
class linear_classifier : public parameter_store {
 public:
  static constexpr std::size_t classes = 10;
  explicit linear_classifier(const shape& image) : parameter_store{layout_of(image)}, image_{image.with_images(1)} {}

  const shape& image() const { return image_; }
  shape output(const shape& images) const { return {images.images, classes, 1, 1}; }

  template <class T>
  struct memory {
    std::vector<T> weights, x, y;
    std::vector<double> sums;
  };
  template <class T, class Be>
  memory<T> workspace(Be&, const shape& most) const {
    return {std::vector<T>(parameter_count()), std::vector<T>(most.size()), std::vector<T>(most.images * classes),
            std::vector<double>(parameter_count())};
  }
  template <class Be, class T, class Time>
  void evaluate(Be& be, per_image<Time>, in_of<Be, T> x, std::type_identity_t<view_of<Be, T>> out,
                memory<T>& ws) const {
    std::copy(parameters().begin(), parameters().end(), ws.weights.begin());
    run<Be, T>(be, x, out, ws);
  }
  template <class Be, class T, class Time>
  void forward(Be& be, in_of<Be, T> params, per_image<Time>, in_of<Be, T> x, std::type_identity_t<view_of<Be, T>> out,
               memory<T>& ws) const {
    be.download(params, ws.weights.data());
    run<Be, T>(be, x, out, ws);
  }
  // Gradients of the weights alone.
  template <class Be, class T>
  void backward(Be& be, in_of<Be, T>, in_of<Be, T> dout, std::type_identity_t<view_of<Be, T>> dx,
                std::type_identity_t<view_of<Be, T>> gradients, memory<T>& ws) const {
    REQUIRE(dx.empty());
    const std::size_t d = image_.per_image();
    be.download(dout, ws.y.data());
    std::fill(ws.sums.begin(), ws.sums.end(), 0.0);
    for (std::size_t n = 0; n < dout.extent().images; ++n)
      for (std::size_t c = 0; c < classes; ++c) {
        const auto score = static_cast<double>(ws.y[n * classes + c]);
        for (std::size_t k = 0; k < d; ++k) ws.sums[c * d + k] += score * static_cast<double>(ws.x[n * d + k]);
        ws.sums[classes * d + c] += score;
      }
    std::vector<T> values(ws.sums.begin(), ws.sums.end());
    be.upload(values.data(), gradients);
  }
  template <class Be, class T>
  void pullback(Be&, in_of<Be, T>, std::type_identity_t<view_of<Be, T>>, memory<T>&) const {}

 private:
  static parameter_layout layout_of(const shape& image) {
    parameter_layout layout;
    layout.add_weight_and_bias("scores", {classes, image.per_image()}, image.per_image());
    return layout;
  }
  template <class Be, class T>
  void run(Be& be, view_of<Be, const T> x, view_of<Be, T> out, memory<T>& ws) const {
    const std::size_t d = image_.per_image(), images = x.extent().images;
    be.download(x, ws.x.data());
    for (std::size_t n = 0; n < images; ++n)
      for (std::size_t c = 0; c < classes; ++c) {
        T sum = ws.weights[classes * d + c];
        for (std::size_t k = 0; k < d; ++k) sum += ws.weights[c * d + k] * ws.x[n * d + k];
        ws.y[n * classes + c] = sum;
      }
    be.upload(ws.y.data(), out);
  }

  shape image_;
};

static_assert(StatesNetworkOutput<cross_entropy> && !StatesNetworkOutput<epsilon_loss>);

}  // namespace

TEST_CASE("A classifier of noisy images trains, whose output has another shape than the images", "[train]") {
  serial_backend be;
  const auto digits = stroke_digit_set(256, 64, 1, 12);
  clean_denoiser scores{linear_classifier{{1, 1, 12, 12}}};
  training_options options{.epochs = 30, .batch_size = 32, .learning_rate = 0.01};
  const corruption little{identity{}, variance_exploding{.sigma_min = 0.01, .sigma_max = 0.3}};
  const auto whole = train(be, scores, little, cross_entropy{}, digits, options);
  // One in ten is ln 10 = 2.30; half of that is a probability of a third for the right digit.
  CHECK(whole.losses.front() == Approx(std::log(10.0)).margin(0.5));
  CHECK(whole.test_losses.back() < 0.5 * std::log(10.0));
  clean_denoiser again{linear_classifier{{1, 1, 12, 12}}};
  options.accumulate = 4;
  options.epochs = 1;
  const auto parts = train(be, again, little, cross_entropy{}, digits, options);
  CHECK(parts.losses.front() == whole.losses.front());
  CHECK(parts.losses.back() == Approx(whole.losses[7]).epsilon(1e-4));
}

TEST_CASE("A classifier of our layers learns clean digits, and one that is told the time noisy ones", "[train]") {
  tbb_backend be;
  const auto digits = stroke_digit_set(512, 128, 1, 12);
  training_options options{.epochs = 6, .batch_size = 32, .learning_rate = 4e-3};
  const shape image{1, 1, 12, 12};
  clean_denoiser seeing{classifier{{{8, 16}, 16, 10}, image}};
  const auto clean = train(be, seeing, corruption{identity{}, undamaged{}}, cross_entropy{}, digits, options);
  CHECK(clean.losses.front() == Approx(std::log(10.0)).margin(0.5));
  data_set unnamed = digits;
  unnamed.training.labels.clear();
  clean_denoiser other{classifier{{{8, 16}, 16, 10}, image}};
  CHECK_REFUSED(
      train(be, other, corruption{identity{}, undamaged{}}, cross_entropy{}, unnamed, options),
      "for the training images, number of labels is 0, but it must be that of the images, for this objective");
  const auto judged = judge(be, seeing.network(), as_view(digits.test.pixels));
  CHECK(accuracy(judged.probabilities, std::span<const class_label>{digits.test.labels}) > 0.8);
  // The test loss of the last epoch is that of the probabilities: softmax in double against log-sum-exp, of floats.
  double sum = 0;
  for (std::size_t i = 0; i < 128; ++i)
    sum -= std::log(judged.probabilities(static_cast<Eigen::Index>(i), Eigen::Index{digits.test.labels[i]}));
  CHECK(sum / 128 == Approx(clean.test_losses.back()).epsilon(1e-5));

  clean_denoiser told{timed_classifier{{{8, 16}, 16, 10}, image}};
  const corruption little{scaling{}, linear_beta{100}};
  const auto noisy = train(be, told, little, cross_entropy{10, 0.1}, digits, options);
  CHECK(noisy.test_losses.back() < 0.85 * std::log(10.0));  // at times near 1 nothing can be known
}

TEST_CASE("An output of another shape than the objective takes is refused", "[train]") {
  serial_backend be;
  const auto digits = stroke_digit_set(32, 16, 1, 12);
  const training_options options{.epochs = 1, .batch_size = 16};
  clean_denoiser scores{linear_classifier{{1, 1, 12, 12}}};
  clean_denoiser images{plain_cnn{{2}, {1, 1, 12, 12}}};
  CHECK_REFUSED(train(be, images, noise, cross_entropy{}, digits, options),
                "shape of the network's output is 1 x 1 x 12 x 12, but it must be what this objective takes, 1 x 10 x");
  CHECK_REFUSED(train(be, scores, noise, naive_loss{}, digits, options),
                "channels of the network's output is 10, but it must be as many as the images', for this objective");
}
