// The blocks of U-Nets on every backend, against central differences and against the serial oracle.
#include "catch.hpp"

#include <cstddef>
#include <vector>

#include <softscore/core/shape.hpp>
#include <softscore/nn/unet/attention_block.hpp>
#include <softscore/nn/unet/body.hpp>
#include <softscore/nn/unet/picture_reducer.hpp>
#include <softscore/nn/unet/relu_block.hpp>
#include <softscore/nn/unet/residual_block.hpp>

#include "layer_agreement.hpp"

using namespace softscore;

namespace {

// Odd sizes and even ones, and as many channels as the widest vectors have lanes.
constexpr shape odd{3, 6, 5, 7}, even{2, 8, 4, 6}, wide{1, 16, 6, 4};

residual_options block(std::size_t channels, std::size_t groups) {
  return {.out_channels = channels, .groups_in = groups, .groups_out = groups};
}

}  // namespace

TEST_CASE("residual blocks agree on every backend", "[nn][backend]") {
  agrees_on_every_backend("without an embedding", residual_block{block(6, 3)}, odd);
  agrees_on_every_backend("shift and shortcut", residual_block{block(16, 2)}, odd, {.embedding = 5});

  residual_options options = block(8, 4);
  options.scale_shift = true;
  options.dropout = 0.3;
  options.divisor = 1.4;
  agrees_on_every_backend("scale and shift, dropout, divisor", residual_block{options}, even,
                          {.embedding = 3, .dropout = dropout_draw{4, 9, 1}});
  options = block(16, 4);
  options.shortcut = true;
  agrees_on_every_backend("a shortcut that is asked for", residual_block{options}, wide, {.embedding = 4});
}

TEST_CASE("residual blocks change the resolution on every backend", "[nn][backend]") {
  for (const resampling how : {resampling::nearest, resampling::mean, resampling::fir_up, resampling::fir_down}) {
    CAPTURE(static_cast<int>(how));
    residual_options options = block(8, 2);
    options.resample = how;
    agrees_on_every_backend("the same channels", residual_block{options}, even, {.embedding = 3});
    options.out_channels = 4;
    options.divisor = 2;
    agrees_on_every_backend("other channels", residual_block{options}, even, {.embedding = 3});
  }
}

TEST_CASE("attention blocks agree on every backend", "[nn][backend]") {
  agrees_on_every_backend("one head", attention_block{{.groups = 3}}, odd);
  agrees_on_every_backend("heads that do not fill the channels", attention_block{{.head_width = 4, .groups = 2}}, odd);
  agrees_on_every_backend("narrow heads, without a norm", attention_block{{.head_width = 4}}, wide);
  agrees_on_every_backend("a divisor", attention_block{{.head_width = 4, .groups = 4, .divisor = 1.4}}, even);
  agrees_on_every_backend("without a bias", attention_block{{.groups = 4, .bias = false}}, even);
}

TEST_CASE("pictures beside x are reduced on every backend", "[nn][backend]") {
  agrees_on_every_backend("a thin picture", picture_reducer{16}, {2, 3, 4, 6});
  agrees_on_every_backend("a wide one", picture_reducer{4}, {1, 16, 8, 4});
}

TEST_CASE("blocks with ReLU agree on every backend", "[nn][backend]") {
  // Some inputs of a ReLU cross its kink within the step of the differences; those of unit/nn/unet_kinds_test.cpp are
  // so small that none does, and hold to 1e-6.
  const gradient_trials dropped{.dropout = dropout_draw{4, 9, 1}, .allowed = 0.1};
  agrees_on_every_backend("the same channels", relu_block{{4, 6}}, odd, {.allowed = 0.1});
  agrees_on_every_backend("other channels", relu_block{{8, 16, 0.3}}, even, dropped);
  agrees_on_every_backend("dropped once", relu_block{{16, 3, 0.3, false}}, wide, dropped);
}

TEST_CASE("the body of a U-Net agrees on every backend", "[nn][backend]") {
  unet_config c;
  c.in_channels = c.out_channels = 3;
  c.block_out_channels = {8, 8, 8};
  c.down_blocks = {unet_block::skip, unet_block::attention, unet_block::resnet};
  c.up_blocks = {unet_block::plain, unet_block::attention, unet_block::skip};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.attention_head_dim = 4;
  c.center_input_sample = true;
  c.downsample_padding = 0;
  for (const bool again : {false, true}) {
    c.recompute = again;
    agrees_on_every_backend(again ? "recomputed" : "kept", unet_body{c}, {2, 3, 4, 8}, {.embedding = 3});
  }
}

TEST_CASE("a U-Net whose channels are whole vectors joins its skips without a copy on every backend", "[nn][backend]") {
  unet_config c;
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {16, 16};
  c.down_blocks = {unet_block::plain, unet_block::plain};
  c.up_blocks = {unet_block::plain, unet_block::plain};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.add_attention = false;
  agrees_on_every_backend("two levels", unet_body{c}, {2, 1, 2, 4}, {.embedding = 3});
}

TEST_CASE("the body of NCSN++ agrees on every backend", "[nn][backend]") {
  unet_config c;
  c.in_channels = c.out_channels = 3;
  c.block_out_channels = {8, 16};
  c.conv_in_channels = 16;
  c.down_blocks = {unet_block::resnet, unet_block::attention};
  c.up_blocks = {unet_block::attention, unet_block::resnet};
  c.layers_per_block = 1;
  c.upsample_type = c.downsample_type = unet_sampler::resnet;
  c.groups_of_four = c.attend_last = c.smooth_samplers = c.sampler_shortcut = c.residual_picture = true;
  c.attention_heads = 2;
  c.attention_bias = false;
  c.block_divisor = 1.4;
  for (const bool again : {false, true}) {
    c.recompute = again;
    agrees_on_every_backend(again ? "recomputed" : "kept", unet_body{c}, {2, 3, 4, 8}, {.embedding = 3});
  }
}
