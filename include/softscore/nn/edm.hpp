#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <numbers>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/json_fields.hpp>
#include <softscore/nn/source_names/read_source.hpp>
#include <softscore/nn/source_names/source_layout.hpp>
#include <softscore/nn/unet.hpp>
#include <softscore/nn/unet/config.hpp>

namespace softscore {  // shared

/// The two networks of Karras et al. 2022: the one of Song et al. 2021, as DDPM++ or NCSN++, and the one of Dhariwal
/// and Nichol 2021.
enum class edm_model { song, dhariwal };

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// The settings of a SongUNet or DhariwalUNet (Karras et al. 2022), with the names of their constructors' arguments.
/// Where their defaults differ, these are SongUNet's.
struct edm_settings {
  edm_model model_type{edm_model::song};
  std::size_t img_resolution{}, in_channels{}, out_channels{};
  std::size_t label_dim{}, augment_dim{};
  std::size_t model_channels{128};
  std::vector<std::size_t> channel_mult{1, 2, 2, 2};
  std::size_t channel_mult_emb{4}, num_blocks{4};
  std::vector<std::size_t> attn_resolutions{16};
  double dropout{0.10};
  bool fourier{};                     ///< embedding_type
  std::size_t channel_mult_noise{1};  ///< of SongUNet
  bool residual_encoder{};            ///< encoder_type
  bool smooth{};                      ///< resample_filter (1, 3, 3, 1)

  bool attends(std::size_t level) const {
    return std::find(attn_resolutions.begin(), attn_resolutions.end(), img_resolution >> level) !=
           attn_resolutions.end();
  }
  /// The filter of its resampling layers.
  std::vector<double> taps() const { return smooth ? std::vector<double>{1, 3, 3, 1} : std::vector<double>{1, 1}; }
};

/// Returns the settings of the same network as a `unet`. Throws `error` for settings that do not fit together.
template <class = when_called>
unet_config unet_settings(const edm_settings& s) {
  require(s.model_channels >= 4 && s.model_channels <= 65536, "model_channels", s.model_channels,
          "between 4 and 65536");
  require(!s.channel_mult.empty() && s.channel_mult.size() <= 16, "the number of channel_mult", s.channel_mult.size(),
          "between 1 and 16");
  require(s.img_resolution >= 1 && s.img_resolution <= 65536, "img_resolution", s.img_resolution,
          "between 1 and 65536");
  for (const std::size_t factor : {s.channel_mult_emb, s.channel_mult_noise})
    require(factor >= 1 && factor <= 64, "channel_mult_emb and channel_mult_noise", factor, "between 1 and 64");
  const bool song = s.model_type == edm_model::song;
  require(song || (!s.fourier && !s.residual_encoder && !s.smooth && s.channel_mult_noise == 1),
          "a setting of SongUNet for a DhariwalUNet", "given", "left at its default");
  require(!s.residual_encoder || s.smooth, "resample_filter", "[1, 1]", "[1, 3, 3, 1] where encoder_type is residual");
  unet_config c;
  c.in_channels = s.in_channels;
  c.out_channels = s.out_channels;
  c.height = c.width = s.img_resolution;
  c.block_out_channels.clear();
  c.down_blocks.clear();
  for (std::size_t level = 0; level < s.channel_mult.size(); ++level) {
    const std::size_t factor = s.channel_mult[level];
    require(factor >= 1 && factor <= 64, "channel_mult", factor, "between 1 and 64");
    c.block_out_channels.push_back(factor * s.model_channels);
    c.down_blocks.push_back(s.attends(level) ? unet_block::attention : unet_block::resnet);
  }
  c.up_blocks.assign(c.down_blocks.rbegin(), c.down_blocks.rend());
  c.conv_in_channels = song ? s.model_channels : 0;
  c.downsample_type = c.upsample_type = unet_sampler::resnet;
  c.layers_per_block = s.num_blocks;
  c.dropout = s.dropout;
  c.groups_of_four = true;
  c.norm_num_groups = 32;
  c.norm_eps = song ? 1e-6 : 1e-5;
  c.attn_norm_num_groups = (std::min)(c.block_out_channels.back() / 4, std::size_t{32});
  c.attention_head_dim = song ? std::optional<std::size_t>{} : std::optional<std::size_t>{64};
  c.attend_last = song;
  c.scale_shift = !song;
  c.block_divisor = c.mid_block_scale_factor = song ? std::numbers::sqrt2 : 1;
  c.sampler_shortcut = song;
  c.smooth_samplers = s.smooth;
  c.residual_picture = s.residual_encoder;
  c.time_embedding = s.fourier ? unet_time::fourier_of_time : unet_time::positional;
  c.flip_sin_to_cos = !song;
  c.freq_shift = song ? 1 : 0;
  c.time_features = s.model_channels * s.channel_mult_noise;
  c.time_embedding_dim = s.model_channels * s.channel_mult_emb;
  c.augment_features = s.augment_dim;
  if (s.label_dim > 0) {
    c.class_embedding = song ? unet_class::one_hot_features : unet_class::one_hot;
    c.num_class_embeds = s.label_dim;
  }
  c.recipe = unet_recipe::edm;
  require_valid(c);
  return c;
}

/// Returns EDM's names of the parameters of a network with these settings and this layout.
template <class = when_called>
source_layout edm_names(const edm_settings& s, const parameter_layout& network) {
  source_layout names{network};
  const bool song = s.model_type == edm_model::song;
  const std::size_t levels = s.channel_mult.size();
  const auto numbered = [](const std::string& before, std::size_t k) { return before + std::to_string(k); };
  const auto at = [&](const char* tower, std::size_t level) {
    const std::string side = std::to_string(s.img_resolution >> level);
    return tower + ("." + side) + "x" + side + "_";
  };
  const auto block = [&](const std::string& from, const std::string& to) {
    names.add_pair(from + ".norm0", to + ".norm1");
    names.add_pair(from + ".conv0", to + ".conv1");
    names.add_pair(from + ".affine", to + ".time_emb_proj");
    names.add_pair(from + ".norm1", to + ".norm2");
    names.add_pair(from + ".conv1", to + ".conv2");
    if (names.has(to + ".conv_shortcut.weight")) names.add_pair(from + ".skip", to + ".conv_shortcut");
  };
  const auto attention = [&](const std::string& from, const std::string& to) {
    if (!names.has(to + ".to_q.weight")) return;
    names.add_pair(from + ".norm2", to + ".group_norm");
    names.add_heads(from + ".qkv", to, 0, qkv_order::head_channel_qkv);  // for any width: the order is the same
    names.add_pair(from + ".proj", to + ".to_out.0");
  };
  if (s.fourier) names.add("map_noise.freqs", "time_proj.weight");
  if (s.label_dim > 0) names.add_pair("map_label", "class_embedding");
  if (s.augment_dim > 0) names.add_pair("map_augment", "augment_embedding");
  names.add_pair("map_layer0", "time_embedding.linear_1");
  names.add_pair("map_layer1", "time_embedding.linear_2");
  names.add_pair(at("enc", 0) + "conv", "conv_in");
  for (std::size_t level = 0; level < levels; ++level) {
    const std::string to = numbered("down_blocks.", level);
    for (std::size_t k = 0; k < s.num_blocks; ++k) {
      const std::string from = numbered(at("enc", level) + "block", k);
      block(from, to + numbered(".resnets.", k));
      attention(from, to + numbered(".attentions.", k));
    }
    if (level + 1 == levels) break;
    block(at("enc", level + 1) + "down", to + ".downsamplers.0");
    if (s.residual_encoder) names.add_pair(at("enc", level + 1) + "aux_residual", to + ".picture");
  }
  block(at("dec", levels - 1) + "in0", "mid_block.resnets.0");
  attention(at("dec", levels - 1) + "in0", "mid_block.attentions.0");
  block(at("dec", levels - 1) + "in1", "mid_block.resnets.1");
  for (std::size_t up = 0; up < levels; ++up) {
    const std::size_t level = levels - 1 - up;
    const std::string to = numbered("up_blocks.", up);
    for (std::size_t k = 0; k <= s.num_blocks; ++k) {
      const std::string from = numbered(at("dec", level) + "block", k);
      block(from, to + numbered(".resnets.", k));
      attention(from, to + numbered(".attentions.", k));
    }
    if (level > 0) block(at("dec", level - 1) + "up", to + ".upsamplers.0");
  }
  names.add_pair(song ? at("dec", 0) + "aux_norm" : "out_norm", "conv_norm_out");
  names.add_pair(song ? at("dec", 0) + "aux_conv" : "out_conv", "conv_out");
  return names;
}

/// Reads the settings in a JSON file with the arguments of SongUNet or DhariwalUNet, and model_type. Throws `error`
/// naming the file and the key for values of another type and for what is not supported: encoders and decoders with
/// skips, other filters.
template <class = when_called>
edm_settings read_edm_settings(const std::filesystem::path& path) {
  const json_settings from = read_json_settings(path);
  edm_settings s;
  const std::string model = from.text("model_type", "SongUNet");
  if (model == "DhariwalUNet") {
    s.model_type = edm_model::dhariwal;
    s.model_channels = 192;
    s.channel_mult = {1, 2, 3, 4};
    s.num_blocks = 3;
    s.attn_resolutions = {32, 16, 8};
  } else if (model != "SongUNet") {
    from.refuse("model_type", "SongUNet or DhariwalUNet");
  }
  const auto positive = [&](const char* key) {
    const std::size_t value = from.size(key, 0);
    if (value == 0) from.refuse(key, "at least 1");
    return value;
  };
  s.img_resolution = positive("img_resolution");
  s.in_channels = positive("in_channels");
  s.out_channels = positive("out_channels");
  s.label_dim = from.size("label_dim", s.label_dim);
  s.augment_dim = from.size("augment_dim", s.augment_dim);
  s.model_channels = from.size("model_channels", s.model_channels);
  if (auto multiples = from.sizes("channel_mult")) s.channel_mult = std::move(*multiples);
  s.channel_mult_emb = from.size("channel_mult_emb", s.channel_mult_emb);
  s.num_blocks = from.size("num_blocks", s.num_blocks);
  if (auto sides = from.sizes("attn_resolutions")) s.attn_resolutions = std::move(*sides);
  s.dropout = from.number("dropout", s.dropout);
  s.channel_mult_noise = from.size("channel_mult_noise", s.channel_mult_noise);
  const auto either = [&](const char* key, const char* usual, const char* other) {
    const std::string word = from.text(key, usual);
    if (word != usual && word != other) from.refuse(key, std::string{usual} + " or " + other);
    return word == other;
  };
  s.fourier = either("embedding_type", "positional", "fourier");
  s.residual_encoder = either("encoder_type", "standard", "residual");
  if (from.text("decoder_type", "standard") != "standard") from.refuse("decoder_type", "standard");
  const auto taps = from.numbers("resample_filter");
  s.smooth = taps && *taps == std::vector<double>{1, 3, 3, 1};
  if (taps && !s.smooth && *taps != std::vector<double>{1, 1}) from.refuse("resample_filter", "[1, 1] or [1, 3, 3, 1]");
  return s;
}

/// Reads the SongUNet or DhariwalUNet of a safetensors file that contains the state dict of EDM's network
/// (docs/how-to/other-networks.md), with or without "model." before every name. Its times are `c_noise`: `edm_denoiser`
/// wraps it. Throws `error` naming the file for weights that are missing, surplus, of another shape or not finite, and
/// for filters other than those of the settings.
template <class = when_called>
unet<c_noise> load_edm(const std::filesystem::path& weights, const edm_settings& s) {
  const std::vector<double> taps = s.taps();
  return detail::load_source<unet<c_noise>>(
      weights, unet_settings(s), [&](const parameter_layout& of) { return edm_names(s, of); }, "model.", taps);
}

/// The same from a folder with the settings in config.json and the weights in model.safetensors.
template <class = when_called>
unet<c_noise> load_edm(const std::filesystem::path& folder) {
  const std::filesystem::path config = folder / "config.json";
  const edm_settings s = read_edm_settings(config);
  detail::require_for_file(config.string(), [&] { unet<c_noise>::layout_of(unet_settings(s)); });
  return load_edm(detail::source_weights(folder), s);
}

}  // namespace softscore::inline SOFTSCORE_ABI
