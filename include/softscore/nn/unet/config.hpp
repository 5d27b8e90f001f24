#pragma once

#include <algorithm>
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

/// The kind of a level of a U-Net, as in diffusers: DownBlock2D and UpBlock2D, AttnDownBlock2D and AttnUpBlock2D,
/// ResnetDownsampleBlock2D and ResnetUpsampleBlock2D, SkipDownBlock2D and SkipUpBlock2D, AttnSkipDownBlock2D and
/// AttnSkipUpBlock2D.
enum class unet_block { plain, attention, resnet, skip, attention_skip };

/// How an attention level changes the resolution: by a convolution, or inside a residual block.
enum class unet_sampler { convolution, resnet };

/// The features of the time before the dense layers: its sines and cosines, Fourier features of its logarithm (the
/// output is then divided by the time), a row of a table, or Fourier features of the time itself.
enum class unet_time { positional, fourier, learned, fourier_of_time };

/// The features of a label: none, a row of a table, features like those of the time, or numbers that the caller gives.
/// As in Karras et al. 2022, it can also be a dense layer of its one-hot vector, without a bias after the layers of the
/// time (DhariwalUNet), or of that vector times the root of its length before them (SongUNet).
enum class unet_class { none, table, timestep, identity, one_hot, one_hot_features };

/// What a network with a table of classes uses for an image without a label: a zero vector, or the table's last row.
enum class null_class { zero, last_row };

/// Initial values of the parameters: PyTorch's; those of Ho et al. 2020; PyTorch's with zero for the last convolutions
/// of Dhariwal and Nichol 2021; those of Karras et al. 2022.
enum class unet_recipe { pytorch, ddpm, adm, edm };

/// The construction of the levels: blocks that begin with a norm, with a skip for each of them; or pairs of
/// convolutions with ReLU and without norms, with one skip for each level and no time inside (the network of Ng et al.
/// n.d.).
enum class unet_form { normed, relu };

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// The settings of a U-Net, with the names, meanings and defaults of diffusers' UNet2DModel. Below them are settings
/// that UNet2DModel does not have.
struct unet_config {
  std::size_t in_channels{3}, out_channels{3};
  std::size_t height{}, width{};  ///< sample_size, a hint; 0: not stated
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
  std::optional<std::size_t> attention_head_dim{8};  ///< the width of a head; empty: one head
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
  std::size_t chain_steps{1000};      ///< steps of the chain whose indices it takes (from the scheduler, in diffusers)
  unet_class class_embedding{unet_class::none};
  std::size_t num_class_embeds{};  ///< rows of the table of classes

  null_class no_label{null_class::zero};
  std::size_t beside_channels{};  ///< channels of an image that it sees before x (SR3); in_channels includes them
  std::size_t class_plane_count{}, class_planes{};  ///< classes, and learned numbers of each, as planes behind x
  unet_form form{unet_form::normed};
  std::size_t conv_in_channels{};   ///< after the first convolution; 0: the first width
  bool groups_of_four{};            ///< norms have at most norm_num_groups groups, each of four channels or more
  std::size_t attention_heads{};    ///< their number at every level; 0: attention_head_dim is their width
  bool attention_bias{true};        ///< of queries, keys and values
  bool attend_last{};               ///< going up, attention only after the last block of a level
  double block_divisor{1};          ///< of the sums in residual and attention blocks, except those in the middle
  bool smooth_samplers{};           ///< samplers inside residual blocks filter by (1, 3, 3, 1), not by (1, 1)
  bool sampler_shortcut{};          ///< they have a 1x1 convolution on their skip
  bool residual_picture{};          ///< going down, a smaller picture is added to x and replaces it (NCSN++)
  std::size_t time_features{};      ///< features of the time; 0: the first width, twice that for `fourier`
  std::size_t time_hidden{};        ///< between its dense layers; 0: as many as `embedding`
  bool embedding_activation{true};  ///< SiLU after these layers
  std::size_t augment_features{};   ///< numbers of the caller that a dense layer adds to the features of the time
  std::size_t time_planes{};        ///< Fourier features of the time, with trained frequencies, as planes behind x
  unet_recipe recipe{unet_recipe::pytorch};
  bool recompute{};  ///< blocks keep nothing inside them for the backward pass, but compute it again

  std::size_t levels() const { return block_out_channels.size(); }
  /// The number that divides the sides of images.
  std::size_t multiple() const { return std::size_t{1} << (levels() - 1); }
  /// The number of features of an image's embedding; 0 if blocks use none.
  std::size_t embedding() const {
    if (form == unet_form::relu) return 0;
    return time_embedding_dim > 0 ? time_embedding_dim : 4 * block_out_channels.front();
  }
  /// Whether planes become smaller inside a residual block at the end of a level.
  bool shrinks_inside(std::size_t level) const {
    return down_blocks[level] == unet_block::resnet ||
           (down_blocks[level] == unet_block::attention && downsample_type == unet_sampler::resnet);
  }
  /// The number of features of the time.
  std::size_t features() const {
    if (time_features > 0) return time_features;
    return time_embedding == unet_time::fourier ? 2 * block_out_channels.front() : block_out_channels.front();
  }
  /// The planes that a network sees behind x.
  std::size_t planes() const { return class_planes + time_planes; }
  /// Whether a dense layer reads the one-hot vector of the class.
  bool reads_one_hot() const {
    return class_embedding == unet_class::one_hot || class_embedding == unet_class::one_hot_features;
  }
  /// The number of features that the caller gives for each image.
  std::size_t given_features() const {
    return class_embedding == unet_class::identity ? embedding() : augment_features;
  }
  /// The steps of the chain whose indices it takes.
  std::size_t steps() const { return time_embedding == unet_time::learned ? num_train_timesteps : chain_steps; }
  /// The number of classes; 0: the network takes no labels.
  std::size_t label_count() const {
    if (class_planes > 0) return class_plane_count;
    if (class_embedding == unet_class::timestep) return INT32_MAX;
    if (reads_one_hot()) return num_class_embeds;
    if (class_embedding != unet_class::table) return 0;
    return no_label == null_class::last_row ? num_class_embeds - 1 : num_class_embeds;
  }
};

namespace detail {
// The settings that UNet2DModel does not have.
template <class = when_called>
void require_extras_valid(const unet_config& c) {
  constexpr std::size_t most = 65536;
  const auto at_most = [](const char* name, std::size_t value) {
    require(value <= most, name, value, "at most 65536");
  };
  at_most("conv_in_channels", c.conv_in_channels);
  at_most("attention_heads", c.attention_heads);
  at_most("time_hidden", c.time_hidden);
  at_most("augment_features", c.augment_features);
  at_most("class_planes", c.class_planes);
  at_most("time_planes", c.time_planes);
  require(c.block_divisor > 0 && std::isfinite(c.block_divisor), "block_divisor", c.block_divisor,
          "positive and finite");
  const bool fourier = c.time_embedding == unet_time::fourier || c.time_embedding == unet_time::fourier_of_time;
  require(!fourier || (c.features() % 2 == 0 && c.features() > 0), "time_features", c.features(),
          "even and at least 2 for Fourier features, which are sines and cosines");
  require(c.time_planes % 2 == 0, "time_planes", c.time_planes, "even, for they are cosines and sines");
  require(c.augment_features == 0 || c.class_embedding != unet_class::identity, "augment_features", c.augment_features,
          "0 where the class embedding is identity, for an image brings one row of numbers");
  require((c.form == unet_form::relu) == (c.time_planes > 0), "time_planes", c.time_planes,
          "given for a network of the form relu, which sees the time so, and 0 for others");
  require(!c.residual_picture || c.smooth_samplers, "residual_picture", "true",
          "false without smooth_samplers, for the picture is filtered by (1, 3, 3, 1)");
  for (std::size_t level = 0; c.residual_picture && level + 1 < c.levels(); ++level)
    require(c.shrinks_inside(level), "residual_picture", "true",
            "false where a level does not become smaller inside a residual block, here " + std::to_string(level));
  if (c.form != unet_form::relu) return;
  require(c.class_embedding == unet_class::none && c.augment_features == 0,
          "an embedding in a network of the form relu", "given", "left out, for its blocks see none");
  require(!c.center_input_sample && c.conv_in_channels == 0 && !c.residual_picture,
          "a setting of the input in a network of the form relu", "given", "left out, for it has no such layer");
  require(c.time_embedding == unet_time::positional, "another time_embedding in a network of the form relu", "given",
          "left out, for the network sees the time as planes");
  for (const auto* const blocks : {&c.down_blocks, &c.up_blocks})
    require(std::all_of(blocks->begin(), blocks->end(), [](unet_block b) { return b == unet_block::plain; }),
            "a block with attention or skips in a network of the form relu", "given", "plain");
  require(!c.scale_shift, "scale_shift", "true", "false in a network of the form relu, which has no norms");
}
}  // namespace detail

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
  require(c.time_features <= most, "time_features", c.time_features, "at most 65536");
  if (c.form == unet_form::normed)
    require(std::isfinite(c.freq_shift) && c.freq_shift < static_cast<double>(c.features() / 2), "freq_shift",
            c.freq_shift, "finite and below half of what time becomes");
  if (c.time_embedding == unet_time::learned) size("num_train_timesteps", c.num_train_timesteps);
  require(c.chain_steps >= 1, "chain_steps", c.chain_steps, "at least 1");
  if (c.class_embedding == unet_class::table || c.reads_one_hot()) {
    require(c.num_class_embeds >= 1 && c.num_class_embeds <= 16777216, "num_class_embeds", c.num_class_embeds,
            "between 1 and 16777216");
    require(c.no_label == null_class::zero || c.num_class_embeds >= 2, "num_class_embeds", c.num_class_embeds,
            "at least 2 where the last row stands for no label");
  }
  detail::require_extras_valid(c);
  require(c.beside_channels < c.in_channels, "beside_channels", c.beside_channels,
          "below in_channels, which count them");
  require(c.planes() < c.in_channels - c.beside_channels, "class_planes and time_planes", c.planes(),
          "below in_channels, which count them");
  if (c.class_planes > 0) {
    size("class_plane_count", c.class_plane_count);
    require(c.class_embedding == unet_class::none, "the class embedding", "given",
            "none where classes are planes behind x");
  }
  require(c.height <= most && c.width <= most, "sample_size",
          std::to_string(c.height) + " x " + std::to_string(c.width), "at most 65536 pixels high and wide");
}

}  // namespace softscore::inline SOFTSCORE_ABI
