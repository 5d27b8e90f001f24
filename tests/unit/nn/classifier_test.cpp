// Classifiers: the names and numbers of their parameters, their gradients, and their features.
#include <softscore/nn/classifier.hpp>

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/nn/check_gradients.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "slope.hpp"

using namespace softscore;

static_assert(Network<classifier, serial_backend, float> && Network<timed_classifier, tbb_backend, double>);
static_assert(GivesFeatures<classifier, tbb_backend, float> && GivesFeatures<timed_classifier, serial_backend, double>);

namespace {

// `judge` asks for all of these.
struct without_class_count : classifier {
  void class_count() const = delete;
};
struct without_image : classifier {
  void image() const = delete;
};
static_assert(!GivesFeatures<without_class_count, serial_backend, float> &&
              !GivesFeatures<without_image, serial_backend, float>);

const classifier_sizes small{{4, 8}, 6, 3};
const shape image{1, 2, 9, 8};

std::vector<float> batch_of(std::size_t images) {
  const auto numbers = normal_numbers(images * image.per_image(), 5);
  return {numbers.begin(), numbers.end()};
}

struct answer {
  std::vector<float> scores, features;
};

template <class Net, class Be>
answer asked(Be& be, const Net& net, const std::vector<float>& pixels, std::size_t most, diffusion_time t = {}) {
  const std::size_t images = pixels.size() / image.per_image();
  auto ws = net.template workspace<float>(be, image.with_images(most));
  auto x = be.template make<float>(image.with_images(images));
  auto y = be.template make<float>(net.output(image.with_images(images)));
  be.upload(pixels.data(), x.view());
  answer all;
  for (std::size_t first = 0; first < images; first += most) {
    const std::size_t count = std::min(most, images - first);
    const auto out = y.view().images(first, count);
    net.evaluate(be, t, view_of<Be, const float>(x.view().images(first, count)), out, ws);
    std::vector<float> scores(out.size()), features(count * net.feature_count());
    be.download(view_of<Be, const float>(out), scores.data());
    be.download(view_of<Be, const float>(net.features(ws)), features.data());
    all.scores.insert(all.scores.end(), scores.begin(), scores.end());
    all.features.insert(all.features.end(), features.begin(), features.end());
  }
  return all;
}

}  // namespace

TEST_CASE("a classifier has named parameters, and a score for each class", "[nn]") {
  const classifier net{small, image};
  std::set<std::string> names;
  for (const parameter& p : net.layout()) names.insert(p.name);
  CHECK(names.size() == 20);
  for (const char* name : {"stages.0.conv1.weight", "stages.1.norm2.bias", "features.weight", "scores.bias"})
    CHECK(names.contains(name));
  // Convolutions 9 a b + b and norms 2 b; 9 x 8 pixels become 2 x 2.
  CHECK(net.parameter_count() ==
        (9 * 2 * 4 + 4) + (9 * 4 * 4 + 4) + 16 + (9 * 4 * 8 + 8) + (9 * 8 * 8 + 8) + 32 + (32 * 6 + 6) + (6 * 3 + 3));
  CHECK(net.output(image.with_images(5)) == shape{5, 3, 1, 1});
  CHECK(classifier{}.parameter_count() == 109818);
}

TEST_CASE("the gradients of classifiers are their slopes", "[nn]") {
  const std::vector<diffusion_time> times{{0.9}, {0.3}};
  const per_image<diffusion_time> each{std::span<const diffusion_time>{times}};
  classifier net{small, image};
  net.initialize(3);
  const auto report = check_gradients(net, each, image.with_images(2), {.apart = true});
  CAPTURE(report);
  CHECK(report.holds());
  timed_classifier told{small, image};
  told.initialize(3);
  const auto timed = check_gradients(told, each, image.with_images(2), {.apart = true});
  CAPTURE(timed);
  CHECK(timed.holds());
}

TEST_CASE("features are what the scores are made of, the same for any batch and close on every backend", "[nn]") {
  serial_backend serial;
  tbb_backend tbb;
  classifier net{small, image};
  net.initialize(7);
  const auto pixels = batch_of(5);
  const answer found = asked(tbb, net, pixels, 5), in_parts = asked(tbb, net, pixels, 2),
               plain = asked(serial, net, pixels, 5);
  CHECK(in_parts.features == found.features);
  CHECK(in_parts.scores == found.scores);
  const auto find = [&](const std::string& name) {
    for (const parameter& p : net.layout())
      if (p.name == name) return net.parameters().subspan(p.offset, p.size());
    return std::span<const float>{};
  };
  const auto weight = find("scores.weight"), bias = find("scores.bias");
  for (std::size_t n = 0; n < 5; ++n)
    for (std::size_t k = 0; k < 3; ++k) {
      float sum = bias[k];
      for (std::size_t f = 0; f < 6; ++f) sum += weight[6 * k + f] * found.features[6 * n + f];
      CHECK(found.scores[3 * n + k] == Approx(sum).margin(1e-6));  // ten roundings of numbers near 1
    }
  // Five layers of sums of up to 72 products in float32, as in the golden tests of networks: 1e-5.
  for (std::size_t i = 0; i < found.features.size(); ++i)
    CHECK(found.features[i] == Approx(plain.features[i]).margin(1e-5));
  timed_classifier told{small, image};
  told.initialize(7);
  CHECK(asked(tbb, told, pixels, 5, {0.1}).features != asked(tbb, told, pixels, 5, {0.9}).features);
}

TEST_CASE("sizes that no classifier has are refused", "[nn]") {
  CHECK_REFUSED(classifier({{}, 6, 3}, image), "the number of widths is 0, but it must be between 1 and 16");
  CHECK_REFUSED(classifier({{4, 0}, 6, 3}, image), "a width is 0, but it must be between 1 and 4096");
  CHECK_REFUSED(classifier({{4}, 0, 3}, image), "features is 0");
  CHECK_REFUSED(classifier({{4}, 6, 1}, image), "classes is 1, but it must be between 2 and 4096");
  CHECK_REFUSED(classifier({{4, 4, 4, 4}, 6, 3}, image),
                "the image's shape is 1 x 2 x 9 x 8, but it must be between 16");
}
