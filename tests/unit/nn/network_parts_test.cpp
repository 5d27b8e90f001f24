// Networks made of layers: an image beside x (Saharia et al. 2021), outputs of another shape, and gradients checked in
// one call.
#include "catch.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/nn/activate.hpp>
#include <softscore/nn/add_embedding.hpp>
#include <softscore/nn/check_gradients.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/dense.hpp>
#include <softscore/nn/dropout_layer.hpp>
#include <softscore/nn/group_norm.hpp>
#include <softscore/nn/layered_network.hpp>
#include <softscore/nn/pooling.hpp>
#include <softscore/nn/sequential.hpp>
#include <softscore/nn/time_embedding.hpp>

#include "device_under_test.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

using body = sequential<conv2d, add_embedding, group_norm, activate, dropout_layer, conv2d>;
body layers() {
  return body{conv2d{8}, add_embedding{}, group_norm{2}, activate{activation::silu}, dropout_layer{0.2}, conv2d{2}};
}

// Two channels, with what the time is and an image beside x.
class seeing_network : public layered_network<body, time_embedding> {
 public:
  explicit seeing_network(image_beside beside = {})
      : layered_network{layers(), time_embedding{5}, {1, 2, 8, 8}, "body", "time", beside} {}
};

using classifier_body = sequential<conv2d, activate, max_pool, conv2d, activate, dense>;
// Ten numbers for an image.
class classifier : public layered_network<classifier_body, time_embedding> {
 public:
  classifier()
      : layered_network{classifier_body{conv2d{4}, activate{activation::gelu}, max_pool{}, conv2d{4},
                                        activate{activation::gelu}, dense{10}},
                        time_embedding{1},
                        {1, 1, 8, 6},
                        "",
                        "time"} {}
};

const shape images{3, 2, 5, 7};

std::vector<float> beside_pixels(std::size_t channels) {
  const auto drawn = detail::trial_numbers(3 * channels * 35, 9, 1);
  return {drawn.begin(), drawn.end()};
}
conditioning with_image(const std::vector<float>& pixels, const shape& extent) {
  return {.image = view<const float, host_space>{pixels.data(), extent}};
}

// What a network makes of the same batch and the image beside it.
template <class Be>
std::vector<float> evaluated(Be& be, const seeing_network& net, const conditioning& given) {
  auto ws = net.workspace<float>(be, images.with_images(4));
  auto x = random_batch<float>(be, images, 2), out = be.template make<float>(images);
  net.evaluate(be, network_input<diffusion_time>{diffusion_time{0.5}, given}, x.view(), out.view(), ws);
  return values_of(be, out.view());
}

}  // namespace

TEST_CASE("the gradients of a network are its slopes, with an image beside x, an embedding and dropout", "[nn]") {
  const auto pixels = beside_pixels(3);
  const std::vector<diffusion_time> times{{0.2}, {0.9}, {0.5}};
  const per_image<diffusion_time> each{std::span<const diffusion_time>{times}};
  for (const bool first : {true, false}) {
    seeing_network net{image_beside{3, first}};
    net.initialize(1);
    const network_input<diffusion_time> asked{each, with_image(pixels, {3, 3, 5, 7}), dropout_draw{1, 2, 3}};
    const gradient_report report = check_gradients(net, asked, images);
    CAPTURE(report);
    CHECK(report.holds());
    CHECK(report.findings.size() == 1 + static_cast<std::size_t>(net.layout().end() - net.layout().begin()));
  }
  seeing_network blind;
  blind.initialize(1);
  CHECK(check_gradients(blind, each, images).holds());
}

TEST_CASE("an image beside x comes before or after it, on every backend", "[nn]") {
  const auto pixels = beside_pixels(2);
  const conditioning given = with_image(pixels, images);
  seeing_network before{image_beside{2, true}}, after{image_beside{2, false}};
  before.initialize(4);
  // The same weights, with the two halves of the first convolution's inputs exchanged.
  std::vector<float> values(before.parameters().begin(), before.parameters().end());
  const std::size_t first = before.layout().at("body.0.weight").offset;
  for (std::size_t o = 0; o < 8; ++o)
    for (std::size_t i = 0; i < 2 * 9; ++i) std::swap(values[first + o * 36 + i], values[first + o * 36 + 18 + i]);
  after.set_parameters(values);
  serial_backend host;
  tbb_backend threads{2};
  device_under_test device;
  const auto expected = evaluated(host, before, given);
  const auto close = [&](const std::vector<float>& there) {
    for (std::size_t i = 0; i < there.size(); ++i) CHECK(there[i] == Approx(expected[i]).margin(1e-5));
  };
  close(evaluated(host, after, given));  // 36 products and a norm: far below 1e-5
  close(evaluated(threads, before, given));
  close(evaluated(threads, after, given));
  close(evaluated(device, before, given));
  const std::vector<float> other(pixels.size(), 0.0f);
  CHECK(evaluated(host, before, with_image(other, images)) != expected);
}

TEST_CASE("a network refuses a missing, surplus or wrong image beside x, before any work", "[nn]") {
  const auto pixels = beside_pixels(3);
  serial_backend be;
  seeing_network sees{image_beside{3}}, blind;
  CHECK_REFUSED(evaluated(be, sees, {}), "that of the images, 3, with 3 channels each");
  CHECK_REFUSED(evaluated(be, sees, with_image(pixels, {3, 1, 5, 7})), "3 x 3 x 5 x 7");
  CHECK_REFUSED(evaluated(be, sees, with_image(pixels, {1, 3, 5, 7})), "3 x 3 x 5 x 7");
  CHECK_REFUSED(evaluated(be, sees, with_image(pixels, {3, 3, 7, 5})), "3 x 3 x 5 x 7");
  CHECK_REFUSED(evaluated(be, blind, with_image(pixels, {3, 3, 5, 7})), "takes none");
}

TEST_CASE("the output of a network may have another shape than its image", "[nn]") {
  classifier net;
  net.initialize(2);
  CHECK(net.output({3, 1, 8, 6}) == shape{3, 10, 1, 1});
  CHECK(net.output_channels() == 10);
  CHECK(check_gradients(net, diffusion_time{0.5}, {3, 1, 8, 6}).holds());
  CHECK_THROWS_AS(net.output({3, 1, 8, 8}), error);  // its dense layer has weights for one size
  CHECK_THROWS_AS(net.output({0, 1, 8, 6}), error);
}

TEMPLATE_TEST_CASE("dropout acts on the draw of a training step alone", "[nn]", serial_backend, tbb_backend) {
  TestType be;
  seeing_network net;
  net.initialize(3);
  auto ws = net.workspace<float>(be, images);
  auto x = random_batch<float>(be, images, 2), out = be.template make<float>(images);
  const auto with = [&](std::optional<dropout_draw> draw) {
    net.evaluate(be, network_input<diffusion_time>{diffusion_time{0.5}, {}, draw}, x.view(), out.view(), ws);
    return values_of(be, out.view());
  };
  const auto plain = with({}), first = with(dropout_draw{1, 2, 3});
  CHECK(with({}) == plain);
  CHECK(first != plain);
  CHECK(with(dropout_draw{1, 2, 3}) == first);
  CHECK(with(dropout_draw{1, 3, 3}) != first);
  CHECK(with(dropout_draw{2, 2, 3}) != first);
  // The last two images, evaluated by themselves with their number, are those of the batch.
  auto two = be.template make<float>(images.with_images(2));
  net.evaluate(be, network_input<diffusion_time>{diffusion_time{0.5}, {}, dropout_draw{1, 2, 4}},
               view_of<TestType, const float>{x.view().images(1, 2)}, two.view(), ws);
  const auto later = values_of(be, two.view());
  CHECK(std::equal(later.begin(), later.end(), first.begin() + static_cast<std::ptrdiff_t>(images.per_image())));
}
