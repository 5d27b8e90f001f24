// Every layer by itself: both gradients against central differences, and every backend against the serial one. Group
// norm: Wu and He 2018; layer norm: Ba et al. 2016; attention: Vaswani et al. 2017, Eq. 1; dropout: Srivastava et al.
// 2014; filters (1, 3, 3, 1): Karras et al. 2020; an embedding added to every pixel: Ho et al. 2020.
#include "catch.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/nn/activate.hpp>
#include <softscore/nn/add_embedding.hpp>
#include <softscore/nn/attention.hpp>
#include <softscore/nn/bilinear.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/conv2d_transposed.hpp>
#include <softscore/nn/dense.hpp>
#include <softscore/nn/dropout_layer.hpp>
#include <softscore/nn/group_norm.hpp>
#include <softscore/nn/inception/conv_relu.hpp>
#include <softscore/nn/inception/input.hpp>
#include <softscore/nn/layer_norm.hpp>
#include <softscore/nn/pooling.hpp>
#include <softscore/nn/resampling.hpp>

#include "device_under_test.hpp"
#include "layer_agreement.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

// Odd sizes, more channels than a vector has lanes, and one image as well as several.
constexpr shape odd{3, 6, 5, 7}, wide{1, 16, 5, 7}, even{2, 8, 4, 6};

gradient_trials without_kinks() { return {.apart = true}; }

}  // namespace

TEST_CASE("activations are layers", "[nn][backend]") {
  for (const activation f :
       {activation::none, activation::silu, activation::relu, activation::gelu, activation::gelu_tanh})
    for (const shape& in : {odd, wide})
      agrees_on_every_backend("activate " + std::to_string(static_cast<int>(f)), activate{f}, in, without_kinks());
}

TEST_CASE("convolutions with options are layers", "[nn][backend]") {
  agrees_on_every_backend("3x3", conv2d{5}, odd);
  agrees_on_every_backend("3x3 wide", conv2d{16}, wide);
  agrees_on_every_backend("1x1 without bias", conv2d{4, {.kernel = 1, .bias = false}}, odd);
  agrees_on_every_backend("1x7", conv2d{4, kernel_size{1, 7}}, odd);
  agrees_on_every_backend("stride 2, padding 1", conv2d{16, {.stride = 2}}, wide);
  agrees_on_every_backend("stride 2, padding (0,1,0,1)", conv2d{8, {.stride = 2, .padding = {0, 0, 1, 1}}}, even);
  agrees_on_every_backend("17x17, valid", conv2d{3, {.kernel = 17, .padding = conv2d_padding::all(0)}}, {2, 2, 18, 17});
}

TEST_CASE("transposed convolutions are layers", "[nn][backend]") {
  agrees_on_every_backend("17x17", conv2d_transposed{3, {.kernel = 17, .padding = conv2d_padding::all(0)}},
                          {2, 2, 2, 1});
  agrees_on_every_backend(
      "2x3, stride 2", conv2d_transposed{16, {.kernel = {2, 3}, .stride = 2, .padding = conv2d_padding::all(1)}}, wide);
  agrees_on_every_backend("without bias", conv2d_transposed{3, {.bias = false}}, odd);
  serial_backend be;
  CHECK(conv2d_transposed{3, {.kernel = 4, .stride = 2, .padding = conv2d_padding::all(1)}}.output({1, 2, 5, 7}) ==
        shape{1, 3, 10, 14});
}

TEST_CASE("norms are layers", "[nn][backend]") {
  for (const std::size_t groups : {1u, 2u, 6u})
    agrees_on_every_backend(std::to_string(groups) + " groups", group_norm{groups}, odd);
  agrees_on_every_backend("groups wide", group_norm{4, 1e-6}, wide);
  agrees_on_every_backend("one pixel", group_norm{2}, {2, 12, 1, 1});
  agrees_on_every_backend("without affine", group_norm{2, 1e-6, false}, odd);
  agrees_on_every_backend("layer norm", layer_norm{}, odd);
  agrees_on_every_backend("layer norm wide, without affine", layer_norm{1e-6, false}, wide);
}

TEST_CASE("maps of pixels are layers", "[nn][backend]") {
  for (const shape& in : {odd, wide, even}) {
    agrees_on_every_backend("upsample_nearest", upsample_nearest{}, in);
    agrees_on_every_backend("fir_upsample", fir_upsample{}, in);
    agrees_on_every_backend("max_pool", max_pool{{.kernel = 3, .stride = 2, .padding = 1}}, in, without_kinks());
    agrees_on_every_backend("mean_pool", mean_pool{{.kernel = 3, .stride = 1, .padding = 1}}, in);
    agrees_on_every_backend("mean_pool, border left out",
                            mean_pool{{.kernel = 3, .stride = 2, .padding = 1, .count_padding = false}}, in);
    agrees_on_every_backend("global_mean_pool", global_mean_pool{}, in);
  }
  agrees_on_every_backend("downsample_mean", downsample_mean{}, even);
  agrees_on_every_backend("fir_downsample", fir_downsample{}, even);
  agrees_on_every_backend("fir_downsample_inside", fir_downsample_inside{}, even);
}

TEST_CASE("what Inception begins with are layers", "[nn][backend]") {
  for (const shape& in : {odd, wide, shape{1, 2, 1, 9}}) {
    agrees_on_every_backend("resize_bilinear, larger", resize_bilinear{9, 11}, in);
    agrees_on_every_backend("resize_bilinear, smaller", resize_bilinear{2, 3}, in);
  }
  agrees_on_every_backend("resize_bilinear to the same size", resize_bilinear{5, 7}, odd);
  agrees_on_every_backend("inception_input, gray", inception_input{}, {2, 1, 2, 3});
  agrees_on_every_backend("inception_input", inception_input{}, {1, 3, 3, 2});
  agrees_on_every_backend("conv_relu", conv_relu{16, {.kernel = {1, 3}}}, wide);
  agrees_on_every_backend("conv_relu, stride 2", conv_relu{5, {.stride = 2, .padding = conv2d_padding::all(0)}}, odd);
}

TEST_CASE("attention, dense layers and embeddings are layers", "[nn][backend]") {
  for (const qkv_order order : {qkv_order::qkv_head_channel, qkv_order::head_qkv_channel, qkv_order::head_channel_qkv})
    agrees_on_every_backend("attention", attention{2, 4, order}, odd);
  agrees_on_every_backend("attention, one head", attention{1, 16}, wide);
  for (const shape& in : {odd, wide, shape{3, 5, 1, 1}}) agrees_on_every_backend("dense", dense{3}, in);
  agrees_on_every_backend("dense without bias", dense{16, false}, odd);
  for (const shape& in : {odd, wide}) agrees_on_every_backend("add_embedding", add_embedding{}, in, {.embedding = 3});
}

TEST_CASE("dropout is a layer with the same masks everywhere", "[nn][backend]") {
  for (const bool of_channels : {false, true})
    for (const shape& in : {odd, wide}) {
      const dropout_layer layer{0.4, of_channels};
      agrees_on_every_backend("dropout", layer, in, {.dropout = dropout_draw{11, 5, 3}});
      agrees_on_every_backend("dropout of a network that nobody trains", layer, in);
      serial_backend be;
      // Image 1 of a batch that starts at image 3 is image 0 of one that starts at image 4.
      layer_trial<dropout_layer, serial_backend, double> batch{be, layer, {in, 0, 0, 0, dropout_draw{11, 5, 3}}},
          later{be, layer, {in, 0, 0, 0, dropout_draw{11, 5, 4}}};
      const std::vector<double> ones(in.size(), 1.0);
      for (auto* trial : {&batch, &later}) {
        trial->set_x(ones);
        trial->forward();
      }
      const auto first = batch.y(), second = later.y();
      CHECK((first == second) == false);
      const auto one = static_cast<std::ptrdiff_t>(in.per_image());
      CHECK(std::equal(first.begin() + one, first.end(), second.begin()));
      for (const double v : first) CHECK((v == 0 || v == Approx(1 / 0.6)));
    }
}

TEST_CASE("layers refuse what they cannot take, in one sentence", "[nn][backend]") {
  parameter_layout layout;
  placement to{layout, 0};
  CHECK(refusal([&] { group_norm{4}.place(to, "norm", {1, 6, 5, 7}); }).find("groups") != std::string::npos);
  CHECK_THROWS_AS((conv2d{0}.place(to, "conv", {1, 6, 5, 7})), error);
  CHECK_THROWS_AS((conv2d{3, {.kernel = 9, .padding = conv2d_padding::all(0)}}.output({1, 6, 5, 7})), error);
  CHECK_THROWS_AS((conv2d_transposed{3, {.kernel = 3, .stride = 0}}.output({1, 6, 5, 7})), error);
  CHECK_THROWS_AS((conv2d_transposed{3, {.kernel = 1, .padding = conv2d_padding::all(4)}}.output({1, 6, 5, 7})), error);
  CHECK_THROWS_AS(downsample_mean{}.output({1, 6, 5, 8}), error);
  CHECK_THROWS_AS(fir_downsample{}.output({1, 6, 8, 7}), error);
  CHECK_THROWS_AS(fir_downsample_inside{}.output({1, 6, 2, 8}), error);
  CHECK_THROWS_AS((max_pool{{.kernel = 6}}.output({1, 6, 5, 7})), error);
  CHECK_THROWS_AS((resize_bilinear{0, 4}), error);
  CHECK_THROWS_AS((resize_bilinear{4, 65537}), error);
  CHECK_THROWS_AS(inception_input{}.output({1, 2, 5, 7}), error);
  CHECK_THROWS_AS(dropout_layer{1.0}, error);
  CHECK_THROWS_AS((attention{0, 4}), error);
  CHECK_THROWS_AS((attention{1, 257}), error);
  CHECK_THROWS_AS(add_embedding{}.place(to, "time", {1, 6, 5, 7}), error);
  CHECK_THROWS_AS(dense{3}.place(to, "dense", {1, 6, 0, 0}), error);
  dense of_one_size{3};
  of_one_size.place(to, "head", {1, 6, 5, 7});
  CHECK_THROWS_AS(of_one_size.output({1, 6, 5, 6}), error);
  // A height and width that are not known yet stay unknown.
  CHECK(conv2d{3, 3, 2}.output({1, 6, 0, 0}) == shape{1, 3, 0, 0});
  CHECK(max_pool{}.output({1, 6, 0, 0}) == shape{1, 6, 0, 0});
}
