#pragma once

#include <softscore/nn/unet/config.hpp>

/// One level of four channels: the least that is a U-Net.
inline softscore::unet_config smallest_unet() {
  softscore::unet_config c;
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {4};
  c.down_blocks = c.up_blocks = {softscore::unet_block::plain};
  c.layers_per_block = 1;
  c.mid_block = false;
  c.norm_num_groups = 2;
  return c;
}
