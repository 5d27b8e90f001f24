#pragma once

#include <cstddef>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/unet/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The settings of the U-Net that Ng et al. n.d. start from (Crowson and Pressman 2021), for a `unet<log_snr>` that
/// predicts the velocity of images with three channels: four levels of pairs of convolutions with ReLU, `channels` wide
/// at the top and twice as wide at each level below (64 in the original), with the time and, where there are classes,
/// four numbers of each as planes behind x. Parameters have the original's names. 64 channels are 23,208,715
/// parameters, and 23,211,315 with ten classes. Throws `error` for widths that are 0 or absurd.
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
