#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
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

namespace softscore::inline SOFTSCORE_ABI {

/// The settings of the U-Net of SR3 (Saharia et al. 2021), with the names of the PyTorch port that most weights come
/// from. It sees the image that it enlarges before x, and the gain of the signal as its time.
struct sr3_settings {
  std::size_t image_size{128};
  std::size_t in_channel{6}, out_channel{3};  ///< of both images; of x
  std::size_t inner_channel{32}, norm_groups{32};
  std::vector<std::size_t> channel_mults{1, 2, 4, 8, 8};
  std::vector<std::size_t> attn_res{8};  ///< the side lengths of planes with attention
  std::size_t res_blocks{3};
  double dropout{};

  bool attends(std::size_t level) const {
    return std::find(attn_res.begin(), attn_res.end(), image_size >> level) != attn_res.end();
  }
};

/// Returns the settings of the same network as a `unet`. Throws `error` for settings that do not fit together.
template <class = when_called>
unet_config unet_settings(const sr3_settings& s) {
  require(s.inner_channel >= 1 && s.inner_channel <= 65536, "inner_channel", s.inner_channel, "between 1 and 65536");
  require(s.in_channel > s.out_channel, "in_channel", s.in_channel, "above out_channel, for it counts both images");
  require(!s.channel_mults.empty() && s.channel_mults.size() <= 16, "the number of channel_mults",
          s.channel_mults.size(), "between 1 and 16");
  unet_config c;
  c.in_channels = s.in_channel;
  c.out_channels = s.out_channel;
  c.beside_channels = s.in_channel - s.out_channel;
  c.height = c.width = s.image_size;
  c.block_out_channels.clear();
  c.down_blocks.clear();
  for (std::size_t level = 0; level < s.channel_mults.size(); ++level) {
    const std::size_t factor = s.channel_mults[level];
    require(factor >= 1 && factor <= 64, "channel_mults", factor, "between 1 and 64");
    c.block_out_channels.push_back(factor * s.inner_channel);
    c.down_blocks.push_back(s.attends(level) ? unet_block::attention : unet_block::plain);
  }
  c.up_blocks.assign(c.down_blocks.rbegin(), c.down_blocks.rend());
  c.conv_in_channels = s.inner_channel;
  c.layers_per_block = s.res_blocks;
  c.dropout = s.dropout;
  c.norm_num_groups = s.norm_groups;
  c.attention_head_dim.reset();
  c.attention_bias = false;
  c.flip_sin_to_cos = false;
  c.time_features = c.time_embedding_dim = s.inner_channel;
  c.time_hidden = 4 * s.inner_channel;
  c.embedding_activation = false;
  require_valid(c);
  return c;
}

/// Returns SR3's names of the parameters of a network with these settings and this layout.
template <class = when_called>
source_layout sr3_names(const sr3_settings& s, const parameter_layout& network) {
  source_layout names{network};
  const auto numbered = [](const std::string& before, std::size_t k) { return before + std::to_string(k); };
  const auto block = [&](const std::string& name, const std::string& to, const std::string& attention) {
    const std::string from = name + ".res_block";
    names.add_pair(from + ".block1.block.0", to + ".norm1");
    names.add_pair(from + ".block1.block.3", to + ".conv1");
    names.add_pair(from + ".noise_func.noise_func.0", to + ".time_emb_proj");
    names.add_pair(from + ".block2.block.0", to + ".norm2");
    names.add_pair(from + ".block2.block.3", to + ".conv2");
    if (names.has(to + ".conv_shortcut.weight")) names.add_pair(from + ".res_conv", to + ".conv_shortcut");
    if (!names.has(attention + ".to_q.weight")) return;
    names.add_pair(name + ".attn.norm", attention + ".group_norm");
    names.add_heads(name + ".attn.qkv", attention, 0, qkv_order::qkv_head_channel);
    names.add_pair(name + ".attn.out", attention + ".to_out.0");
  };
  const std::size_t levels = s.channel_mults.size();
  names.add_pair("noise_level_mlp.1", "time_embedding.linear_1");
  names.add_pair("noise_level_mlp.3", "time_embedding.linear_2");
  names.add_pair("downs.0", "conv_in");
  std::size_t k = 1;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::string to = numbered("down_blocks.", level);
    for (std::size_t r = 0; r < s.res_blocks; ++r)
      block(numbered("downs.", k++), to + numbered(".resnets.", r), to + numbered(".attentions.", r));
    if (level + 1 < levels) names.add_pair(numbered("downs.", k++) + ".conv", to + ".downsamplers.0.conv");
  }
  block("mid.0", "mid_block.resnets.0", "mid_block.attentions.0");
  block("mid.1", "mid_block.resnets.1", "");
  k = 0;
  for (std::size_t up = 0; up < levels; ++up) {
    const std::string to = numbered("up_blocks.", up);
    for (std::size_t r = 0; r <= s.res_blocks; ++r)
      block(numbered("ups.", k++), to + numbered(".resnets.", r), to + numbered(".attentions.", r));
    if (up + 1 < levels) names.add_pair(numbered("ups.", k++) + ".conv", to + ".upsamplers.0.conv");
  }
  names.add_pair("final_conv.block.0", "conv_norm_out");
  names.add_pair("final_conv.block.3", "conv_out");
  return names;
}

/// Reads the settings in a JSON file with the arguments of the network. Throws `error` naming the file and the key for
/// values of another type.
template <class = when_called>
sr3_settings read_sr3_settings(const std::filesystem::path& path) {
  const json_settings from = read_json_settings(path);
  sr3_settings s;
  s.image_size = from.size("image_size", s.image_size);
  s.in_channel = from.size("in_channel", s.in_channel);
  s.out_channel = from.size("out_channel", s.out_channel);
  s.inner_channel = from.size("inner_channel", s.inner_channel);
  s.norm_groups = from.size("norm_groups", s.norm_groups);
  if (auto multiples = from.sizes("channel_mults")) s.channel_mults = std::move(*multiples);
  if (auto sides = from.sizes("attn_res")) s.attn_res = std::move(*sides);
  s.res_blocks = from.size("res_blocks", s.res_blocks);
  s.dropout = from.number("dropout", s.dropout);
  return s;
}

/// Reads the network of a safetensors file that contains SR3's state dict (docs/how-to/other-networks.md), with or
/// without "denoise_fn." before every name. Throws `error` naming the file for weights that are missing, surplus, of
/// another shape or not finite.
template <class = when_called>
unet<noise_level> load_sr3(const std::filesystem::path& weights, const sr3_settings& s) {
  return detail::load_source<unet<noise_level>>(
      weights, unet_settings(s), [&](const parameter_layout& of) { return sr3_names(s, of); }, "denoise_fn.");
}

/// The same from a folder with the settings in config.json and the weights in model.safetensors.
template <class = when_called>
unet<noise_level> load_sr3(const std::filesystem::path& folder) {
  const std::filesystem::path config = folder / "config.json";
  const sr3_settings s = read_sr3_settings(config);
  detail::require_for_file(config.string(), [&] { unet<noise_level>::layout_of(unet_settings(s)); });
  return load_sr3(detail::source_weights(folder), s);
}

}  // namespace softscore::inline SOFTSCORE_ABI
