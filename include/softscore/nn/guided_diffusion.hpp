#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/json_fields.hpp>
#include <softscore/nn/source_names/read_source.hpp>
#include <softscore/nn/source_names/source_layout.hpp>
#include <softscore/nn/unet.hpp>
#include <softscore/nn/unet/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The settings of a UNetModel of guided-diffusion (ADM; Dhariwal and Nichol 2021), with the names and defaults of its
/// constructor's arguments.
struct guided_diffusion_settings {
  std::size_t image_size{};  ///< 0: not stated
  std::size_t in_channels{3}, out_channels{3};
  std::size_t model_channels{};
  std::vector<double> channel_mult{1, 2, 4, 8};
  std::size_t num_res_blocks{};
  std::vector<std::size_t> attention_resolutions{};  ///< the image's size over that of planes with attention
  double dropout{};
  std::size_t num_classes{};                       ///< 0: none
  std::size_t num_heads{1}, num_head_channels{0};  ///< of attention: the number of heads, unless their width is given
  bool use_scale_shift_norm{}, resblock_updown{};
  bool use_new_attention_order{};  ///< the order in which the rows of q, k and v lie in the file
  std::size_t groups{32};          ///< of each norm; 32 in the original

  bool attends(std::size_t level) const {
    return std::find(attention_resolutions.begin(), attention_resolutions.end(), std::size_t{1} << level) !=
           attention_resolutions.end();
  }
};

/// Returns the settings of the same network as a `unet`. Throws `error` for settings that do not fit together.
template <class = when_called>
unet_config unet_settings(const guided_diffusion_settings& s) {
  require(s.model_channels >= 1 && s.model_channels <= 65536, "model_channels", s.model_channels,
          "between 1 and 65536");
  require(!s.channel_mult.empty() && s.channel_mult.size() <= 16, "the number of channel_mult", s.channel_mult.size(),
          "between 1 and 16");
  require(s.num_heads >= 1, "num_heads", s.num_heads, "at least 1");
  unet_config c;
  c.in_channels = s.in_channels;
  c.out_channels = s.out_channels;
  c.height = c.width = s.image_size;
  c.block_out_channels.clear();
  c.down_blocks.clear();
  for (std::size_t level = 0; level < s.channel_mult.size(); ++level) {
    const double width = s.channel_mult[level] * static_cast<double>(s.model_channels);
    require(width >= 1 && width <= 65536, "channel_mult times model_channels", width, "between 1 and 65536");
    c.block_out_channels.push_back(static_cast<std::size_t>(width));
    c.down_blocks.push_back(s.attends(level)    ? unet_block::attention
                            : s.resblock_updown ? unet_block::resnet
                                                : unet_block::plain);
  }
  c.up_blocks.assign(c.down_blocks.rbegin(), c.down_blocks.rend());
  c.downsample_type = c.upsample_type = s.resblock_updown ? unet_sampler::resnet : unet_sampler::convolution;
  c.layers_per_block = s.num_res_blocks;
  c.dropout = s.dropout;
  c.norm_num_groups = s.groups;
  c.attn_norm_num_groups = s.groups;
  if (s.num_head_channels > 0)
    c.attention_head_dim = s.num_head_channels;
  else
    c.attention_heads = s.num_heads;
  c.scale_shift = s.use_scale_shift_norm;
  c.time_features = s.model_channels;
  c.time_embedding_dim = 4 * s.model_channels;
  if (s.num_classes > 0) {
    c.class_embedding = unet_class::table;
    c.num_class_embeds = s.num_classes;
  }
  c.recipe = unet_recipe::adm;
  require_valid(c);
  return c;
}

/// Returns guided-diffusion's names of the parameters of a network with these settings and this layout.
template <class = when_called>
source_layout guided_diffusion_names(const guided_diffusion_settings& s, const parameter_layout& network) {
  source_layout names{network};
  const auto numbered = [](const std::string& before, std::size_t k) { return before + std::to_string(k); };
  const auto block = [&](const std::string& from, const std::string& to) {
    names.add_pair(from + ".in_layers.0", to + ".norm1");
    names.add_pair(from + ".in_layers.2", to + ".conv1");
    names.add_pair(from + ".emb_layers.1", to + ".time_emb_proj");
    names.add_pair(from + ".out_layers.0", to + ".norm2");
    names.add_pair(from + ".out_layers.3", to + ".conv2");
    if (names.has(to + ".conv_shortcut.weight")) names.add_pair(from + ".skip_connection", to + ".conv_shortcut");
  };
  const auto attention = [&](const std::string& from, const std::string& to) {
    const std::size_t channels = names.ours(to + ".to_q.weight").sizes[1];
    names.add_pair(from + ".norm", to + ".group_norm");
    names.add_heads(from + ".qkv", to, s.num_head_channels > 0 ? s.num_head_channels : channels / s.num_heads,
                    s.use_new_attention_order ? qkv_order::qkv_head_channel : qkv_order::head_qkv_channel);
    names.add_pair(from + ".proj_out", to + ".to_out.0");
  };
  const std::size_t levels = s.channel_mult.size();
  names.add_pair("time_embed.0", "time_embedding.linear_1");
  names.add_pair("time_embed.2", "time_embedding.linear_2");
  if (s.num_classes > 0) names.add("label_emb.weight", "class_embedding.weight");
  names.add_pair("input_blocks.0.0", "conv_in");
  std::size_t k = 1;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::string to = numbered("down_blocks.", level);
    for (std::size_t r = 0; r < s.num_res_blocks; ++r, ++k) {
      block(numbered("input_blocks.", k) + ".0", to + numbered(".resnets.", r));
      if (s.attends(level)) attention(numbered("input_blocks.", k) + ".1", to + numbered(".attentions.", r));
    }
    if (level + 1 == levels) break;
    const std::string sampler = numbered("input_blocks.", k++) + ".0";
    if (s.resblock_updown)
      block(sampler, to + ".downsamplers.0");
    else
      names.add_pair(sampler + ".op", to + ".downsamplers.0.conv");
  }
  block("middle_block.0", "mid_block.resnets.0");
  attention("middle_block.1", "mid_block.attentions.0");
  block("middle_block.2", "mid_block.resnets.1");
  k = 0;
  for (std::size_t up = 0; up < levels; ++up)
    for (std::size_t r = 0; r <= s.num_res_blocks; ++r, ++k) {
      const std::string from = numbered("output_blocks.", k), to = numbered("up_blocks.", up);
      const bool attends = s.attends(levels - 1 - up);
      block(from + ".0", to + numbered(".resnets.", r));
      if (attends) attention(from + ".1", to + numbered(".attentions.", r));
      if (r < s.num_res_blocks || up + 1 == levels) continue;
      const std::string sampler = from + (attends ? ".2" : ".1");
      if (s.resblock_updown)
        block(sampler, to + ".upsamplers.0");
      else
        names.add_pair(sampler + ".conv", to + ".upsamplers.0.conv");
    }
  names.add_pair("out.0", "conv_norm_out");
  names.add_pair("out.2", "conv_out");
  return names;
}

/// Reads the settings in a JSON file with the arguments of UNetModel. Throws `error` naming the file and the key for
/// values of another type, and for resampling without convolutions, which is not supported.
template <class = when_called>
guided_diffusion_settings read_guided_diffusion_settings(const std::filesystem::path& path) {
  const json_settings from = read_json_settings(path);
  guided_diffusion_settings s;
  s.image_size = from.size("image_size", s.image_size);
  s.in_channels = from.size("in_channels", s.in_channels);
  s.out_channels = from.size("out_channels", s.out_channels);
  s.model_channels = from.size("model_channels", 0);
  if (s.model_channels == 0) from.refuse("model_channels", "at least 1");
  if (auto multiples = from.numbers("channel_mult")) s.channel_mult = std::move(*multiples);
  s.num_res_blocks = from.size("num_res_blocks", 0);
  if (s.num_res_blocks == 0) from.refuse("num_res_blocks", "at least 1");
  if (auto rates = from.sizes("attention_resolutions")) s.attention_resolutions = std::move(*rates);
  s.dropout = from.number("dropout", s.dropout);
  s.num_classes = from.size("num_classes", s.num_classes);
  s.num_heads = from.size("num_heads", s.num_heads);
  if (from.number("num_head_channels", -1) > 0) s.num_head_channels = from.size("num_head_channels", 0);
  s.use_scale_shift_norm = from.flag("use_scale_shift_norm", s.use_scale_shift_norm);
  s.resblock_updown = from.flag("resblock_updown", s.resblock_updown);
  s.use_new_attention_order = from.flag("use_new_attention_order", s.use_new_attention_order);
  s.groups = from.size("groups", s.groups);
  if (!from.flag("conv_resample", true)) from.refuse("conv_resample", "true");
  if (from.number("num_heads_upsample", -1) > 0)
    from.refuse("num_heads_upsample", "-1, for num_heads is used there too");
  return s;
}

/// Reads the UNetModel of a safetensors file that contains guided-diffusion's state dict
/// (docs/how-to/other-networks.md). Its times are the indices of a chain. Throws `error` naming the file for weights
/// that are missing, surplus, of another shape or not finite. The file does not show the order of q, k and v.
template <class = when_called>
unet<step_index> load_guided_diffusion(const std::filesystem::path& weights, const guided_diffusion_settings& s) {
  return detail::load_source<unet<step_index>>(
      weights, unet_settings(s), [&](const parameter_layout& of) { return guided_diffusion_names(s, of); }, "");
}

/// The same from a folder with the settings in config.json and the weights in model.safetensors.
template <class = when_called>
unet<step_index> load_guided_diffusion(const std::filesystem::path& folder) {
  const std::filesystem::path config = folder / "config.json";
  const guided_diffusion_settings s = read_guided_diffusion_settings(config);
  detail::require_for_file(config.string(), [&] { unet<step_index>::layout_of(unet_settings(s)); });
  return load_guided_diffusion(detail::source_weights(folder), s);
}

}  // namespace softscore::inline SOFTSCORE_ABI
