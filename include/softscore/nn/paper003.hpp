#pragma once

#include <cstddef>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/unet/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Returns the settings of the U-Net that Ng et al. n.d. start from (Crowson and Pressman 2021), for a `unet<log_snr>`
/// that predicts the velocity of images with three channels. It has four levels of pairs of convolutions with ReLU,
/// `channels` wide at the top and twice as wide at each level below (64 in the original). The time and, if there are
/// classes, four numbers for each class enter as planes behind x. Parameters have the original's names. With 64
/// channels there are 23,208,715 parameters, and 23,211,315 with ten classes. Throws `error` for widths that are 0 or
/// absurd.
template <class = when_called>
unet_config paper003_unet(std::size_t channels = 64, std::size_t classes = 0) {
  require(channels >= 1 && channels <= 8192, "channels", channels, "between 1 and 8192");
  unet_config c;
  c.form = unet_form::relu;
  c.time_planes = 16;
  c.class_planes = classes > 0 ? 4 : 0;
  c.class_plane_count = classes;
  c.in_channels = 3 + c.planes();
  c.out_channels = 3;
  c.block_out_channels = {channels, 2 * channels, 4 * channels, 8 * channels};
  c.down_blocks.assign(4, unet_block::plain);
  c.up_blocks = c.down_blocks;
  c.layers_per_block = 2;
  c.dropout = 0.1;
  return c;
}

}  // namespace softscore::inline SOFTSCORE_ABI
