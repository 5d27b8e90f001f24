#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/json_fields.hpp>
#include <softscore/nn/diffusers/config_names.hpp>
#include <softscore/nn/unet/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Reads the keys of UNet2DModel below `prefix` ("" or "model.") into a config. A missing key has diffusers' default.
// Unknown keys are ignored, as in diffusers.
class unet_config_reader {
 public:
  unet_config_reader(const json_settings& from, std::string prefix) : from_{from}, prefix_{std::move(prefix)} {}

  template <class = when_called>
  unet_config read() const {
    unet_config c;
    require_class();
    c.in_channels = size("in_channels", c.in_channels);
    c.out_channels = size("out_channels", c.out_channels);
    read_sample_size(c);
    if (auto widths = from_.sizes(key("block_out_channels"))) c.block_out_channels = std::move(*widths);
    c.down_blocks = blocks("down_block_types", down_block_names, c.down_blocks);
    c.up_blocks = blocks("up_block_types", up_block_names, c.up_blocks);
    c.layers_per_block = size("layers_per_block", c.layers_per_block);
    read_middle(c);
    c.downsample_padding = size("downsample_padding", c.downsample_padding);
    c.downsample_type = word("downsample_type", sampler_names, c.downsample_type);
    c.upsample_type = word("upsample_type", sampler_names, c.upsample_type);
    c.dropout = number("dropout", c.dropout);
    if (from_.contains(key("attention_head_dim"))) c.attention_head_dim = optional_size("attention_head_dim");
    c.norm_num_groups = size("norm_num_groups", c.norm_num_groups);
    if (from_.is_null(key("norm_num_groups"))) from_.refuse(key("norm_num_groups"), "a whole number");
    c.attn_norm_num_groups = optional_size("attn_norm_num_groups");
    c.norm_eps = number("norm_eps", c.norm_eps);
    c.scale_shift = word("resnet_time_scale_shift", time_shift_names, c.scale_shift);
    c.center_input_sample = from_.flag(key("center_input_sample"), c.center_input_sample);
    c.time_embedding = word("time_embedding_type", time_names, c.time_embedding);
    c.time_embedding_dim = size("time_embedding_dim", 0);
    c.freq_shift = number("freq_shift", c.freq_shift);
    c.flip_sin_to_cos = from_.flag(key("flip_sin_to_cos"), c.flip_sin_to_cos);
    c.num_train_timesteps = size("num_train_timesteps", 0);
    read_classes(c);
    const std::string act = from_.text(key("act_fn"), "silu");
    if (act != "silu" && act != "swish") from_.refuse(key("act_fn"), "silu, the one activation that is supported");
    require_for_file(from_.path(), [&] { require_valid(c); });
    return c;
  }

 private:
  std::string key(std::string_view name) const { return prefix_ + std::string{name}; }
  std::size_t size(std::string_view name, std::size_t otherwise) const { return from_.size(key(name), otherwise); }
  double number(std::string_view name, double otherwise) const { return from_.number(key(name), otherwise); }
  std::optional<std::size_t> optional_size(std::string_view name) const {
    return from_.find(key(name)) == nullptr ? std::nullopt : std::optional{from_.size(key(name), 0)};
  }
  template <class Value, std::size_t Count>
  Value word(std::string_view name, const std::array<spelled<Value>, Count>& names, Value otherwise) const {
    if (from_.find(key(name)) == nullptr) return otherwise;
    const auto value = value_spelled(names, from_.text(key(name), ""));
    if (!value) from_.refuse(key(name), all_spellings(names));
    return *value;
  }
  template <std::size_t Count>
  std::vector<unet_block> blocks(std::string_view name, const std::array<spelled<unet_block>, Count>& names,
                                 const std::vector<unet_block>& otherwise) const {
    const auto texts = from_.texts(key(name));
    if (!texts) return otherwise;
    std::vector<unet_block> all;
    for (const std::string& text : *texts) {
      const auto block = value_spelled(names, text);
      require_file(block.has_value(), from_.path(), "a block of " + key(name), printable(text, 80),
                   all_spellings(names));
      all.push_back(*block);
    }
    return all;
  }

  void require_class() const {
    if (from_.text(key("_class_name"), "UNet2DModel") != "UNet2DModel")
      from_.refuse(key("_class_name"), "UNet2DModel, the one network of diffusers that is supported");
  }
  void read_sample_size(unet_config& c) const {
    const json_field* field = from_.find(key("sample_size"));
    if (field == nullptr) return;
    if (field->what == json_field::kind::list) {
      const auto sides = from_.sizes(key("sample_size"));
      if (sides->size() != 2) from_.refuse(key("sample_size"), "one number or two");
      c.height = (*sides)[0];
      c.width = (*sides)[1];
    } else {
      c.height = c.width = size("sample_size", 0);
    }
  }
  void read_middle(unet_config& c) const {
    c.mid_block = !from_.is_null(key("mid_block_type"));
    if (from_.text(key("mid_block_type"), "UNetMidBlock2D") != "UNetMidBlock2D")
      from_.refuse(key("mid_block_type"), "UNetMidBlock2D or null");
    c.mid_block_scale_factor = number("mid_block_scale_factor", c.mid_block_scale_factor);
    c.add_attention = from_.flag(key("add_attention"), c.add_attention);
  }
  void read_classes(unet_config& c) const {
    if (const auto rows = optional_size("num_class_embeds")) {
      c.class_embedding = unet_class::table;
      c.num_class_embeds = *rows;
    }
    if (from_.find(key("class_embed_type")) != nullptr)
      c.class_embedding = word("class_embed_type", class_names, c.class_embedding);
  }

  const json_settings& from_;
  std::string prefix_;
};

}  // namespace detail

/// Reads the settings in the config.json of a UNet2DModel. Throws `error` naming the file and the key for blocks,
/// activations and classes that are not supported, for values of another type, and for sizes that are 0 or absurd.
template <class = when_called>
unet_config read_unet_config(const json_settings& settings) {
  return detail::unet_config_reader{settings, ""}.read();
}
template <class = when_called>
unet_config read_unet_config(const std::filesystem::path& path) {
  return read_unet_config(read_json_settings(path));
}

}  // namespace softscore::inline SOFTSCORE_ABI
