#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>

namespace softscore {  // shared

/// What a level of a U-Net is made of, as diffusers' DownBlock2D and UpBlock2D, AttnDownBlock2D and AttnUpBlock2D,
/// ResnetDownsampleBlock2D and ResnetUpsampleBlock2D, SkipDownBlock2D and SkipUpBlock2D, AttnSkipDownBlock2D and
/// AttnSkipUpBlock2D.
enum class unet_block { plain, attention, resnet, skip, attention_skip };

/// How an attention level changes the resolution: by a convolution, or inside a residual block.
enum class unet_sampler { convolution, resnet };

/// What time becomes before the dense layers: sines and cosines of it, Fourier features of its logarithm, or a row of a
/// table.
enum class unet_time { positional, fourier, learned };

/// What a label becomes: nothing, a row of a table, what a time becomes, or numbers that the caller gives.
enum class unet_class { none, table, timestep, identity };

/// What an image without a label is to a network with a table of classes: a zero vector, or the table's last row.
enum class null_class { zero, last_row };

/// First values of the parameters: PyTorch's; those of Ho et al. 2020; PyTorch's with zero for the last convolutions of
/// Dhariwal and Nichol 2021; those of Karras et al. 2022.
enum class unet_recipe { pytorch, ddpm, adm, edm };

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// The settings of a U-Net, with the names, meanings and defaults of diffusers' UNet2DModel, and below those what it
/// does not have.
struct unet_config {
  std::size_t in_channels{3}, out_channels{3};
  std::size_t height{}, width{};  ///< sample_size, a hint; 0: not said
  std::vector<std::size_t> block_out_channels{224, 448, 672, 896};
  std::vector<unet_block> down_blocks{unet_block::plain, unet_block::attention, unet_block::attention,
                                      unet_block::attention};
  std::vector<unet_block> up_blocks{unet_block::attention, unet_block::attention, unet_block::attention,
                                    unet_block::plain};
  std::size_t layers_per_block{2};
  bool mid_block{true}, add_attention{true};
  double mid_block_scale_factor{1};
  std::size_t downsample_padding{1};  ///< 1, or 0 for zeros on the right and bottom only
  unet_sampler downsample_type{unet_sampler::convolution}, upsample_type{unet_sampler::convolution};
  double dropout{};
  std::optional<std::size_t> attention_head_dim{8};  ///< the width of a head; nothing: one head
  std::size_t norm_num_groups{32};
  std::optional<std::size_t> attn_norm_num_groups{};  ///< of the attention in the middle
  double norm_eps{1e-5};
  bool scale_shift{};  ///< resnet_time_scale_shift
  bool center_input_sample{};
  unet_time time_embedding{unet_time::positional};
  std::size_t time_embedding_dim{};  ///< 0: four times the first width
  double freq_shift{};
  bool flip_sin_to_cos{true};
  std::size_t num_train_timesteps{};  ///< rows of the table of learned times
  std::size_t chain_steps{1000};      ///< steps of the chain whose indices it takes (the scheduler's, in diffusers)
  unet_class class_embedding{unet_class::none};
  std::size_t num_class_embeds{};  ///< rows of the table of classes

  null_class no_label{null_class::zero};
  std::size_t beside_channels{};  ///< of an image that it sees before x (SR3); in_channels counts them
  std::size_t class_plane_count{}, class_planes{};  ///< classes, and learned numbers of each, as planes behind x
  unet_recipe recipe{unet_recipe::pytorch};
  bool recompute{};  ///< blocks keep nothing inside them for the backward pass, but compute it again

  std::size_t levels() const { return block_out_channels.size(); }
  /// The number that divides the sides of images.
  std::size_t multiple() const { return std::size_t{1} << (levels() - 1); }
  /// The number of features of an image's embedding.
  std::size_t embedding() const { return time_embedding_dim > 0 ? time_embedding_dim : 4 * block_out_channels.front(); }
  /// The steps of the chain whose indices it takes.
  std::size_t steps() const { return time_embedding == unet_time::learned ? num_train_timesteps : chain_steps; }
  /// The number of classes; 0: the network takes no labels.
  std::size_t label_count() const {
    if (class_planes > 0) return class_plane_count;
    if (class_embedding == unet_class::timestep) return INT32_MAX;
    if (class_embedding != unet_class::table) return 0;
    return no_label == null_class::last_row ? num_class_embeds - 1 : num_class_embeds;
  }
};

/// Throws `error` for sizes that are 0 or absurd, and for settings that contradict each other.
template <class = when_called>
void require_valid(const unet_config& c) {
  constexpr std::size_t most = 65536;
  const auto size = [](const char* name, std::size_t value) {
    require(value >= 1 && value <= most, name, value, "between 1 and 65536");
  };
  size("in_channels", c.in_channels);
  size("out_channels", c.out_channels);
  require(c.levels() >= 1 && c.levels() <= 16, "the number of block_out_channels", c.levels(), "between 1 and 16");
  for (const std::size_t width : c.block_out_channels) size("a width of block_out_channels", width);
  const std::string levels = "that of block_out_channels, " + std::to_string(c.levels());
  require(c.down_blocks.size() == c.levels(), "the number of down_block_types", c.down_blocks.size(), levels);
  require(c.up_blocks.size() == c.levels(), "the number of up_block_types", c.up_blocks.size(), levels);
  require(c.layers_per_block >= 1 && c.layers_per_block <= 64, "layers_per_block", c.layers_per_block,
          "between 1 and 64");
  require(c.mid_block_scale_factor > 0 && std::isfinite(c.mid_block_scale_factor), "mid_block_scale_factor",
          c.mid_block_scale_factor, "positive and finite");
  require(c.downsample_padding <= 1, "downsample_padding", c.downsample_padding, "0 or 1");
  require(c.dropout >= 0 && c.dropout < 1, "dropout", c.dropout, "at least 0 and below 1");
  if (c.attention_head_dim) size("attention_head_dim", *c.attention_head_dim);
  size("norm_num_groups", c.norm_num_groups);
  if (c.attn_norm_num_groups) size("attn_norm_num_groups", *c.attn_norm_num_groups);
  require(c.norm_eps >= 0 && std::isfinite(c.norm_eps), "norm_eps", c.norm_eps, "finite and at least 0");
  require(c.time_embedding_dim <= most, "time_embedding_dim", c.time_embedding_dim, "at most 65536");
  require(std::isfinite(c.freq_shift) && c.freq_shift < static_cast<double>(c.block_out_channels.front() / 2),
          "freq_shift", c.freq_shift, "finite and below half the first width");
  if (c.time_embedding == unet_time::learned) size("num_train_timesteps", c.num_train_timesteps);
  require(c.chain_steps >= 1, "chain_steps", c.chain_steps, "at least 1");
  if (c.class_embedding == unet_class::table) {
    require(c.num_class_embeds >= 1 && c.num_class_embeds <= 16777216, "num_class_embeds", c.num_class_embeds,
            "between 1 and 16777216");
    require(c.no_label == null_class::zero || c.num_class_embeds >= 2, "num_class_embeds", c.num_class_embeds,
            "at least 2 where the last row stands for no label");
  }
  require(c.beside_channels < c.in_channels, "beside_channels", c.beside_channels,
          "below in_channels, which count them");
  if (c.class_planes > 0) {
    require(c.class_planes < c.in_channels - c.beside_channels, "class_planes", c.class_planes,
            "below in_channels, which count them");
    size("class_plane_count", c.class_plane_count);
    require(c.class_embedding == unet_class::none, "the class embedding", "given",
            "none where classes are planes behind x");
  }
  require(c.height <= most && c.width <= most, "sample_size",
          std::to_string(c.height) + " x " + std::to_string(c.width), "at most 65536 pixels high and wide");
}

}  // namespace softscore::inline SOFTSCORE_ABI
