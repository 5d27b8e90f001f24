#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <softscore/core/pixel_scale.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/nn/unet/config.hpp>
#include <softscore/train/options.hpp>

namespace common {

/// A U-Net of diffusers' kind for small images of ten classes, with a level for each width: one block a level,
/// attention at the lowest.
inline softscore::unet_config small_unet(const softscore::shape& image, const std::vector<std::size_t>& widths) {
  using softscore::unet_block;
  softscore::unet_config c;
  c.in_channels = c.out_channels = image.channels;
  c.height = image.height;
  c.width = image.width;
  c.block_out_channels = widths;
  c.down_blocks.assign(widths.size(), unet_block::plain);
  c.up_blocks.assign(widths.size(), unet_block::plain);
  c.down_blocks.back() = c.up_blocks.front() = unet_block::attention;
  c.layers_per_block = 1;
  c.norm_num_groups = 8;
  c.class_embedding = softscore::unet_class::table;
  c.num_class_embeds = 10;
  c.recipe = softscore::unet_recipe::ddpm;
  return c;
}

/// How such a network is trained under noise alone in 1000 steps of time, on images in [-1, 1], a tenth of whose labels
/// is hidden.
inline softscore::training_options small_unet_training(std::size_t epochs, std::size_t batch_size, std::uint64_t seed) {
  return {.epochs = epochs,
          .batch_size = batch_size,
          .seed = seed,
          .learning_rate = 1e-3,
          .max_grad_norm = 1.0,
          .learning_rate_decay = softscore::rate_decay::cosine,
          .ema_decay = 0.999,
          .times = {.indices = 1000},
          .pixels = {2.0f, -1.0f},
          .label_dropout = 0.1};
}

}  // namespace common
